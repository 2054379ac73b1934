"""What people do to a cell from its page: the effect first, what was typed kept, the services asked."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client

from portfolios import services
from portfolios.models import BrokerAccount, Cell, Event, LedgerEntry, ParameterVersion, User
from portfolios.standings import trading_states
from tests.pages.worlds import World
from tests.portfolios.builders import BY_TEST

PARAMETERS = {
    "trigger_up": "5", "trigger_down": "3", "rebalance_ratio": "1.6667", "sizing": "proportional", "min_stock": "25",
    "max_stock": "75", "guardrail_tolerance": "1", "auto_rebalance": "on", "min_notional": "100", "min_quantity": "0",
    "quantity_step": "0.000001", "max_trade_fraction": "25", "max_orders_per_day": "5", "withholding_rate": "25",
    "adaptive_multiple": "0", "adaptive_floor": "1", "adaptive_cap": "10", "adaptive_decay": "94",
    "slice_interval_seconds": "60", "note": "wider",
}  # fmt: skip


def url(world: World, what: str = "") -> str:
    return f"/cells/{world.cell.pk}/{what}"


def stored(world: World) -> Cell:
    return Cell.objects.select_related("parameters", "portfolio__account").get(pk=world.cell.pk)


def test_a_deposit_shows_its_effect_and_writes_nothing_before_it_is_sent(world: World, signed_in: Client) -> None:
    before = LedgerEntry.objects.count()
    page = signed_in.post(url(world, "deposit/?preview"), {"amount": "1000", "other_side": "outside"}).content.decode()
    assert f"{stored(world).cash:,.2f}" in page
    assert f"{stored(world).cash + 1000:,.2f}" in page
    assert "Next buy" in page
    assert LedgerEntry.objects.count() == before


def test_a_deposit_from_the_account_moves_its_cash(world: World, signed_in: Client, trader: User) -> None:
    held = stored(world)
    given = {"amount": "1000.00", "other_side": "account", "note": "more to work with"}
    assert signed_in.post(url(world, "deposit/"), given)["Location"] == url(world)
    assert stored(world).cash == held.cash + 1000
    assert BrokerAccount.objects.get().unallocated_cash == held.portfolio.account.unallocated_cash - 1000
    event = Event.objects.filter(kind="cash.transferred", subject=f"cell:{held.pk}").get()
    assert (event.actor_id, event.reason) == (trader.pk, "more to work with")


@pytest.mark.parametrize("other_side,kind", [("outside", "withdrawal"), ("account", "transfer")])
def test_a_withdrawal_is_booked_where_it_goes(world: World, signed_in: Client, other_side: str, kind: str) -> None:
    signed_in.post(url(world, "withdraw/"), {"amount": "250.50", "other_side": other_side})
    entry = LedgerEntry.objects.filter(cell=world.cell).first()
    assert entry is not None
    assert (entry.kind, entry.cash) == (kind, Decimal("-250.50"))


def test_withdrawing_more_than_there_is_keeps_what_was_typed_and_says_the_numbers(
    world: World, signed_in: Client
) -> None:
    before = stored(world)
    response = signed_in.post(url(world, "withdraw/"), {"amount": "999999", "other_side": "outside", "note": "rent"})
    page = response.content.decode()
    assert response.status_code == 422
    assert 'value="999999"' in page
    assert 'value="rent"' in page
    assert "999,999" in page
    assert stored(world).cash == before.cash


@pytest.mark.parametrize("amount", ["", "0", "-5", "abc", "NaN", "1e400"])
def test_an_amount_that_is_none_is_refused_beside_its_field(world: World, signed_in: Client, amount: str) -> None:
    response = signed_in.post(url(world, "deposit/"), {"amount": amount, "other_side": "outside"})
    assert response.status_code == 422
    assert 'class="error"' in response.content.decode()


def test_setting_the_anchor_shows_where_the_next_orders_would_stand(world: World, signed_in: Client) -> None:
    page = signed_in.post(url(world, "anchor/?preview"), {"anchor": "90"}).content.decode()
    assert "90.00" in page
    assert stored(world).anchor == Decimal(104)
    signed_in.post(url(world, "anchor/"), {"anchor": "90", "note": "reset"})
    assert stored(world).anchor == Decimal(90)


def test_pausing_and_starting_are_told(world: World, signed_in: Client) -> None:
    page = signed_in.post(url(world, "pause/"), follow=True).content.decode()
    assert stored(world).status == "paused"
    assert "is paused" in page
    signed_in.post(url(world, "start/"))
    assert stored(world).status == "active"


def test_a_refused_start_says_why(world: World, signed_in: Client) -> None:
    page = signed_in.post(url(world, "start/"), follow=True).content.decode()
    assert "toast-error" in page
    assert stored(world).status == "active"


def test_a_halted_cell_is_resumed_with_a_reason_only(world: World, signed_in: Client) -> None:
    services.cell_halt(cell=world.cell, origin=BY_TEST)
    shown = signed_in.get(url(world, "resume/")).context["form"]["seen"].value()
    assert signed_in.post(url(world, "resume/"), {"note": "", "seen": shown}).status_code == 422
    assert trading_states([stored(world)])[world.cell.pk].is_halted
    signed_in.post(url(world, "resume/"), {"note": "checked with the broker", "seen": shown})
    assert trading_states([stored(world)])[world.cell.pk].state == "active"


def test_parameters_are_typed_as_percentages_and_stored_as_fractions(world: World, signed_in: Client) -> None:
    response = signed_in.post(url(world, "parameters/"), PARAMETERS)
    assert response.status_code == 302
    version = stored(world).parameters
    assert version is not None
    assert (version.number, version.trigger_up, version.trigger_down) == (2, Decimal("0.05"), Decimal("0.03"))
    assert version.note == "wider"


def test_parameters_preview_the_next_orders_under_the_new_values(world: World, signed_in: Client) -> None:
    page = signed_in.post(url(world, "parameters/?preview"), PARAMETERS).content.decode()
    assert "109.20" in page  # 104 × 1.05
    assert ParameterVersion.objects.filter(cell=world.cell).count() == 1


@pytest.mark.parametrize(
    "name,value,said",
    [("trigger_up", "0", "Above 0, below 100."), ("min_stock", "80", "Expected below max stock, which is 75\u00a0%.")],
)
def test_parameters_out_of_bounds_name_the_bound(
    world: World, signed_in: Client, name: str, value: str, said: str
) -> None:
    response = signed_in.post(url(world, "parameters/"), PARAMETERS | {name: value})
    assert response.status_code == 422
    assert f'<p class="error" id="id_{name}_error">{said}</p>' in response.content.decode()
    assert ParameterVersion.objects.filter(cell=world.cell).count() == 1


def test_rolling_back_makes_a_new_version_equal_to_the_old(world: World, signed_in: Client) -> None:
    signed_in.post(url(world, "parameters/"), PARAMETERS)
    response = signed_in.post(url(world, "parameters/1/"), follow=True)
    version = stored(world).parameters
    assert version is not None
    assert (version.number, version.trigger_up) == (3, Decimal("0.03"))
    assert "in force" in response.content.decode()


def test_a_dialog_answers_htmx_with_its_part_and_sends_it_back_when_done(world: World, signed_in: Client) -> None:
    asked = {"HTTP_HX_REQUEST": "true"}
    part = signed_in.get(url(world, "deposit/"), **asked).content.decode()
    assert "<html" not in part
    done = signed_in.post(url(world, "deposit/"), {"amount": "1", "other_side": "outside"}, **asked)
    assert done["HX-Redirect"] == url(world)


def test_a_preview_complains_of_nothing_that_is_still_to_be_typed(world: World, signed_in: Client) -> None:
    empty = signed_in.post(url(world, "deposit/?preview"), {"other_side": "outside"}).content.decode()
    assert "form-errors" not in empty
    wrong = signed_in.post(url(world, "deposit/?preview"), {"amount": "much", "other_side": "outside"})
    assert "Amount in USD: Enter a number." in wrong.content.decode()
