"""Brokers' keys: encrypted at rest, and in no text that anyone can read."""

from __future__ import annotations

import json
import logging
import pickle
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from portfolios import services
from portfolios.credentials import Credentials, credentials_open, credentials_seal, keys_check, new_key
from portfolios.models import BrokerAccount, Event
from tests.portfolios.builders import Firm
from tests.portfolios.console import World, address_of, operation_of
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant

KEY_ID, SECRET = "PKABCDEFGH12345678", "s3cr3t-that-moves-money-9876"
VALUES = {"key_id": KEY_ID, "secret_key": SECRET}


@pytest.fixture
def account(firm: Firm) -> BrokerAccount:
    return services.account_set_credentials(account=firm.account, values=VALUES, origin=firm.origin)


def _stored(account: BrokerAccount) -> str:
    return str(BrokerAccount.objects.get(pk=account.pk).credentials)


def test_what_is_kept_can_be_read_again_with_the_installations_keys_only(account: BrokerAccount, settings: Any) -> None:
    assert dict(credentials_open(_stored(account)).values) == VALUES
    settings.CREDENTIALS_KEYS = [new_key()]
    with pytest.raises(Refused, match="cannot be read with the keys of this installation") as refusal:
        credentials_open(_stored(account))
    assert refusal.value.code == "credentials_unreadable"


def test_no_column_of_the_database_holds_them(account: BrokerAccount) -> None:
    for table in connection.introspection.table_names():
        if table.startswith(("portfolios_", "trading_", "reporting_", "optimization_")):
            with connection.cursor() as cursor:
                cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  # names from the database itself
                rows = repr(cursor.fetchall())
            assert SECRET not in rows, table
            assert KEY_ID not in rows, table


def test_the_event_names_them_by_their_last_characters_and_holds_no_encrypted_text(account: BrokerAccount) -> None:
    event = Event.objects.get(kind="account.credentials_set")
    told = json.dumps([event.before, event.after])
    assert event.after["keys"] == "key_id …5678, secret_key …9876"
    assert _stored(account) not in told
    assert event.actor_id is not None


def test_setting_them_again_says_which_ones_were_replaced(account: BrokerAccount, firm: Firm) -> None:
    services.account_set_credentials(
        account=account, values={"key_id": "PKZZZZZZZZZZZZ0000", "secret_key": SECRET}, origin=firm.origin
    )
    event = Event.objects.filter(kind="account.credentials_set").first()
    assert event is not None
    assert (event.before["keys"], event.after["keys"][:12]) == ("key_id …5678, secret_key …9876", "key_id …0000")


def test_another_change_of_the_account_keeps_them_out_of_its_event(account: BrokerAccount, firm: Firm) -> None:
    with services.changing(account, kind="account.renamed", origin=firm.origin) as change:
        change.row.name = "Renamed"
    assert set(Event.objects.get(kind="account.renamed").after) == {"name"}
    assert dict(credentials_open(_stored(account)).values) == VALUES


@pytest.mark.parametrize("text", ["{0!r}", "{0}"])
def test_no_text_of_the_object_holds_them(text: str) -> None:
    told = text.format(Credentials(VALUES))
    assert SECRET not in told
    assert KEY_ID not in told


def test_they_are_not_carried_into_a_cache_or_a_message() -> None:
    with pytest.raises(TypeError, match="not copied"):
        pickle.dumps(Credentials(VALUES))


@pytest.mark.parametrize("value", ["", " PKABCDEFGH12345678", "PKABCDEFGH12345678\n", "PK\x00ABCDEFGH12345678"])
def test_a_careless_copy_is_refused_without_repeating_it(firm: Firm, value: str) -> None:
    with pytest.raises(Refused, match="key_id must be given, without blanks around it; nothing was changed") as refusal:
        services.account_set_credentials(
            account=firm.account, values={"key_id": value, "secret_key": SECRET}, origin=firm.origin
        )
    assert SECRET not in str(refusal.value)
    assert _stored(firm.account) == ""


def test_short_values_are_not_told_by_their_end() -> None:
    assert Credentials({"pin": "12345"}).hint == "pin …"


def test_rotating_encrypts_anew_and_the_old_key_can_go(account: BrokerAccount, settings: Any) -> None:
    old, new = settings.CREDENTIALS_KEYS[0], new_key()
    settings.CREDENTIALS_KEYS = [new, old]
    out = StringIO()
    call_command("credentials", "rotate", stdout=out)
    settings.CREDENTIALS_KEYS = [new]
    assert dict(credentials_open(_stored(account)).values) == VALUES
    assert out.getvalue() == "Encrypted anew: the keys of 1 accounts.\n"
    assert Event.objects.get(kind="account.credentials_rotated").task == "credentials rotate"


def test_rotating_names_the_accounts_it_cannot_read_and_leaves_them(account: BrokerAccount, settings: Any) -> None:
    before = _stored(account)
    settings.CREDENTIALS_KEYS = [new_key()]
    with pytest.raises(CommandError, match=r"No key in CREDENTIALS_KEYS reads those of: Main\."):
        call_command("credentials", "rotate", stdout=StringIO())
    assert _stored(account) == before
    assert not Event.objects.filter(kind="account.credentials_rotated").exists()


def test_a_new_key_is_printed_and_works(settings: Any) -> None:
    out = StringIO()
    call_command("credentials", "key", stdout=out)
    settings.CREDENTIALS_KEYS = [out.getvalue().strip()]
    assert dict(credentials_open(credentials_seal(Credentials(VALUES))).values) == VALUES


@pytest.mark.parametrize("keys", [[], ["short"], ["not base64 at all but long enough to look like it, perhaps"]])
def test_keys_that_cannot_encrypt_are_told_at_the_start(settings: Any, keys: list[str]) -> None:
    settings.CREDENTIALS_KEYS = keys
    faults = keys_check()
    assert [fault.id for fault in faults] == ["portfolios.E001"]
    assert "manage.py credentials key" in faults[0].msg
    with pytest.raises(ImproperlyConfigured):
        credentials_seal(Credentials(VALUES))


def test_the_console_takes_them_and_shows_only_their_end_and_since_when(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    operator = world.client("operator")
    address = operation_of(BrokerAccount, "credentials", world.north.account)
    typed = {**VALUES, "reason": "new keys from the broker"}
    refused = operator.post(address, typed | {"key_id": " "})
    done = operator.post(address, typed, follow=True)
    with every_tenant():
        stored = BrokerAccount.objects.get(pk=world.north.account.pk)
    pages = [
        refused.content.decode(),
        done.content.decode(),
        operator.get(address).content.decode(),
        operator.get(address_of(BrokerAccount, "changelist")).content.decode(),
        operator.get(address_of(BrokerAccount, "change", stored.pk)).content.decode(),
    ]
    assert stored.credentials_set_at is not None
    assert "key_id …5678, secret_key …9876" in pages[1]
    assert "key_id …5678" in pages[3]
    for page in [*pages, caplog.text]:
        for hidden in (KEY_ID, SECRET, stored.credentials):
            assert hidden not in page


def test_an_auditor_sets_none_and_nobody_another_tenants(world: World) -> None:
    typed = {**VALUES, "reason": "mine now"}
    for role, account, status in (("auditor", world.north.account, 403), ("operator", world.south.account, 404)):
        assert world.client(role).post(operation_of(BrokerAccount, "credentials", account), typed).status_code == status
    with every_tenant():
        assert set(BrokerAccount.objects.values_list("credentials", flat=True)) == {""}


def test_the_console_forgets_them_and_says_what_that_means(world: World) -> None:
    operator = world.client("operator")
    account = world.north.account
    forget = operation_of(BrokerAccount, "forget", account)
    assert "has no keys" in operator.post(forget, {"reason": "closed"}).content.decode()
    operator.post(operation_of(BrokerAccount, "credentials", account), {**VALUES, "reason": "new"})
    assert "open orders there go on working" in operator.get(forget).content.decode()
    assert operator.post(forget, {"reason": "closed"}).status_code == 302
    with every_tenant():
        stored = BrokerAccount.objects.get(pk=account.pk)
    assert (stored.credentials, stored.credentials_hint, stored.credentials_set_at) == ("", "", None)
