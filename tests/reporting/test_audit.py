"""The audit chain: whole, per tenant, late commits included, and every tampering named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from portfolios import services
from portfolios.models import AuditLink, Event, User
from reporting.selectors import audit_verify
from reporting.services import audit
from reporting.services.audit import audit_sequence
from reporting.tasks import audit_sequence as audit_task
from tests.portfolios.at_once import at_once
from tests.portfolios.builders import AS_OF, BY_TEST, Firm, make_cell, make_firm
from volbal.common import append_only
from volbal.common.tenancy import every_tenant


@pytest.fixture
def firm(db: None) -> Iterator[Firm]:
    with every_tenant():
        made = make_firm()
        make_cell(made)
        yield made


def _waiting() -> int:
    return Event.objects.filter(audit_link__isnull=True).count()


def test_every_event_gets_one_link_and_a_second_run_adds_none(firm: Firm) -> None:
    events = Event.objects.count()
    assert audit_sequence() == events
    assert audit_task.delay().successful()
    assert AuditLink.objects.count() == events
    assert audit_sequence() == 0


def test_each_tenant_has_its_own_chain_and_so_has_the_installation(firm: Firm) -> None:
    south = make_firm("south")
    audit_sequence()
    for tenant_id in (firm.tenant.pk, south.tenant.pk, None):
        report = audit_verify(tenant_id)
        events = Event.objects.filter(tenant_id=tenant_id)
        assert report.is_whole
        assert (report.links, report.waiting) == (events.count(), 0)
        assert report.links > 0


def test_a_chain_goes_on_over_many_batches(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "BATCH", 2)
    audit_sequence()
    services.account_deposit(account=firm.account, amount=1, as_of=AS_OF, origin=BY_TEST)
    audit_sequence()
    assert audit_verify(firm.tenant.pk).is_whole
    assert _waiting() == 0


def test_an_event_with_a_lower_number_that_commits_late_is_linked(firm: Firm) -> None:
    first = Event.objects.order_by("-id")[0]
    # A number taken early and committed late: the sequencer has passed it meanwhile.
    late = Event(tenant=firm.tenant, kind="late.one", subject="cell:1", pk=first.pk + 1)
    later = Event(tenant=firm.tenant, kind="later.one", subject="cell:1", pk=first.pk + 2)
    later.save(force_insert=True)
    audit_sequence()
    late.save(force_insert=True)
    assert audit_sequence() == 1
    assert late.audit_link.sequence == later.audit_link.sequence + 1
    assert audit_verify(firm.tenant.pk).is_whole


TAMPERINGS = {
    "reason": "UPDATE portfolios_event SET reason = 'Because the test says so' WHERE id = %s",
    "actor": "UPDATE portfolios_event SET actor_id = {other} WHERE id = %s",
    "before": 'UPDATE portfolios_event SET before = \'{{"cash": "1.00"}}\' WHERE id = %s',
    "recorded_at": "UPDATE portfolios_event SET recorded_at = '2001-01-01 00:00:00+00:00' WHERE id = %s",
    "hash": "UPDATE portfolios_auditlink SET hash = previous_hash WHERE event_id = %s",
    "removed": "DELETE FROM portfolios_auditlink WHERE event_id = %s",
    "moved": "UPDATE portfolios_auditlink SET sequence = 1000 WHERE event_id = %s",
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_what_is_tampered_with_is_found_and_named(firm: Firm, tampering: str) -> None:
    audit_sequence()
    victim = Event.objects.filter(kind="account.deposited").get()
    following = AuditLink.objects.filter(tenant=firm.tenant, sequence__gt=victim.audit_link.sequence)
    neighbour = following.order_by("sequence").first()
    assert neighbour is not None
    with append_only.lifted("default"), connection.cursor() as cursor:
        cursor.execute(TAMPERINGS[tampering].format(other=firm.owner.pk), [victim.pk])
    report = audit_verify(firm.tenant.pk)
    assert not report.is_whole
    named = {found.event_id for found in report.breaks}
    assert victim.pk in named or neighbour.event_id in named
    assert str(report.breaks[0]).startswith(f"tenant {firm.tenant.pk}, link ")


def test_a_cut_off_end_shows_in_the_head_and_in_what_waits(firm: Firm) -> None:
    audit_sequence()
    whole = audit_verify(firm.tenant.pk)
    with append_only.lifted("default"):
        AuditLink.objects.filter(tenant=firm.tenant).order_by("-sequence")[0].delete()
    cut = audit_verify(firm.tenant.pk)
    assert (cut.links, cut.waiting) == (whole.links - 1, 1)
    assert cut.head != whole.head


def test_erasing_a_person_leaves_the_chain_whole(firm: Firm) -> None:
    audit_sequence()
    User.objects.filter(pk=firm.owner.pk).update(email="erased@erased.invalid", name="", password="!")
    assert audit_verify(firm.tenant.pk).is_whole
    assert audit_verify(None).is_whole


def test_a_change_rolled_back_leaves_no_event(firm: Firm) -> None:
    events = Event.objects.count()
    with transaction.atomic():
        services.account_deposit(account=firm.account, amount=1, as_of=AS_OF, origin=BY_TEST)
        assert Event.objects.count() == events + 1
        transaction.set_rollback(True)
    assert Event.objects.count() == events


@pytest.mark.services
def test_sequencers_at_once_link_everything_once(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "BATCH", 3)
    with every_tenant():
        firm = make_firm()
        for symbol in ("IBM", "AAPL", "MSFT", "GOOG"):
            make_cell(firm, symbol)
        events = Event.objects.count()
        linked = at_once([audit_sequence] * 4)
        assert sum(linked) == events
        assert _waiting() == 0
        assert audit_verify(firm.tenant.pk).is_whole
        assert audit_verify(None).is_whole
