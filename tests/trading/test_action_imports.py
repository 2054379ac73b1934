"""Dividends and splits from files, by hand and from sources: each row says what it comes to before anything is done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from portfolios.models import Cell, User
from portfolios.services import Origin
from tests.trading.builders import Desk, fresh, make_actions, open_cell, tick
from trading.marketdata.files import FileRefused
from trading.models import ActionApplication, CorporateAction
from trading.services.action_imports import import_confirm, import_plan, rows_of_text
from volbal.common.errors import Conflict
from volbal.common.tenancy import every_tenant
from volbal.strategy import Dividend, Split

HEADER = "symbol,ex_date,amount,ratio,pay_date\n"
DAYS = tuple(dt.date(2024, 3, day) for day in (7, 8, 11, 12))
BY_TEST = Origin(task="test", reason="a better source")


def at(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(15, 30), dt.UTC)


def outcomes(text: str) -> list[str]:
    return [str(one) for one in import_plan(rows_of_text("rows.csv", HEADER + text)).outcomes]


def confirm(text: str) -> str:
    return import_confirm(rows=rows_of_text("rows.csv", HEADER + text), source="a file", origin=BY_TEST).sentence


@pytest.fixture
def cell(desk: Desk) -> Cell:
    """50 shares and 5,000.00 anchored at 100; a dividend of 1.00 was taken on 8 March and paid on the 11th."""
    held = open_cell(desk.portfolio, started=False)
    make_actions(Dividend(DAYS[1], 1.0, DAYS[2]))
    for day in DAYS[:3]:
        tick(desk.portfolio, {"IBM": 100}, at(day))
    return held


@pytest.mark.parametrize(
    "row, told",
    [
        ("IBM,2024-03-08,1.00,,", "line 2: unchanged: IBM dividend of 2024-03-08: 1.00 a share"),
        (
            "IBM,2024-03-08,1.20,,2024-03-11",
            "line 2: changed: IBM dividend of 2024-03-08: 1.20 a share, paid 2024-03-11 (amount was 1.000000)",
        ),
        ("IBM,2024-06-10,,2,", "line 2: created: IBM split of 2024-06-10: 2 for 1"),
        ("GONE,2024-06-10,1,,", "line 2: refused: GONE"),
        ("IBM,2024-06-10,1,2,", "expected one of them"),
        ("IBM,2024-06-10,,,", "expected one of them"),
        ("IBM,2024-06-10,-1,,", "-1 is no number above 0"),
        ("IBM,2024-06-10,one,,", "amount is 'one'; expected a number above 0"),
        ("IBM,10.6.2024,1,,", "ex_date is '10.6.2024'"),
        ("IBM,2024-06-10,1,,2024-06-09", "is before ex_date"),
        ("IBM,2024-06-10,,1,", "changes nothing"),
    ],
)
def test_each_row_says_what_it_comes_to(cell: Cell, row: str, told: str) -> None:
    assert told in outcomes(row + "\n")[0]
    assert CorporateAction.objects.count() == 1


def test_what_is_confirmed_is_done_for_every_cell_and_refused_rows_are_left_out(cell: Cell) -> None:
    text = "IBM,2024-03-08,1.20,,2024-03-11\nGONE,2024-03-08,1,,\nIBM,2024-03-12,,2,\n"
    assert confirm(text) == "1 created, 1 changed, 0 unchanged, 1 refused"
    assert (fresh(cell).cash, fresh(cell).anchor) == (5_045, Decimal("98.8"))
    assert CorporateAction.objects.get(kind="split").source == "a file"


def test_the_same_file_again_changes_nothing(cell: Cell) -> None:
    text = "IBM,2024-03-08,1.20,,2024-03-11\nIBM,2024-03-12,,2,\n"
    confirm(text)
    assert confirm(text) == "0 created, 0 changed, 2 unchanged, 0 refused"
    assert ActionApplication.objects.get().booking == 2


def test_two_dividends_of_one_date_are_matched_in_their_order(cell: Cell) -> None:
    text = "IBM,2024-03-12,0.5,,\nIBM,2024-03-12,2,,\n"
    confirm(text)
    assert confirm(text) == "0 created, 0 changed, 2 unchanged, 0 refused"
    assert list(CorporateAction.objects.filter(ex_date=DAYS[3]).values_list("number", "amount")) == [
        (1, Decimal("0.5")),
        (2, 2),
    ]


def test_what_changed_since_it_was_shown_is_not_done(cell: Cell) -> None:
    rows = rows_of_text("rows.csv", HEADER + "IBM,2024-03-12,0.5,,\n")
    shown = import_plan(rows).fingerprint
    make_actions(Dividend(DAYS[3], 0.5))
    with pytest.raises(Conflict):
        import_confirm(rows=rows, source="a file", origin=BY_TEST, expected=shown)


@pytest.mark.parametrize("text", ["", "symbol,amount\nIBM,1\n", "symbol,ex_date\nIBM\n"])
def test_a_file_that_is_none_is_refused_whole(db: None, text: str) -> None:
    with pytest.raises(FileRefused):
        rows_of_text("rows.csv", text)


class TestCommand:
    """The same from the command line."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "actions.csv"
        path.write_text(HEADER + "IBM,2024-03-08,1.20,,2024-03-11\n")
        return path

    def test_without_confirm_nothing_is_written(self, cell: Cell, path: Path, capsys: Any) -> None:
        call_command("actions", str(path))
        assert "0 created, 1 changed, 0 unchanged, 0 refused. Nothing was written" in capsys.readouterr().out
        assert fresh(cell).cash == Decimal("5037.50")

    def test_with_confirm_it_is_booked(self, cell: Cell, path: Path) -> None:
        call_command("actions", str(path), "--confirm", "--source", "statement")
        assert fresh(cell).cash == 5_045

    def test_refused_rows_end_with_a_status(self, cell: Cell, path: Path) -> None:
        path.write_text(HEADER + "GONE,2024-03-08,1,,\n")
        with pytest.raises(CommandError, match="1 rows were refused"):
            call_command("actions", str(path))


class TestConsole:
    """By the platform operator, who sees first what it does."""

    @pytest.fixture
    def operator(self, cell: Cell) -> Iterator[Client]:
        client = Client()
        client.force_login(User.objects.create_superuser("platform@example.com"))
        with every_tenant():
            yield client

    def act(self, client: Client, address: str, **typed: Any) -> Any:
        """Type, see what it does, confirm exactly that."""
        shown = client.post(address, typed)
        assert shown.status_code == 200
        assert "Nothing is done yet" in shown.content.decode(), shown.context["form"].errors
        # The confirmation carries no file, as in a browser.
        again = {name: value for name, value in typed.items() if name != "file"}
        if "file" in typed:
            again["content"] = shown.context["form"]["content"].value()
        return shown, client.post(address, again | {"confirmed": shown.context["confirmed"]})

    def operation(self, name: str) -> str:
        row = CorporateAction.with_withdrawn.get(kind="dividend")
        return f"{reverse(f'admin:trading_corporateaction_operation_{name}')}?ids={row.pk}"

    def test_correcting_shows_what_each_cell_books_and_then_books_it(self, operator: Client, cell: Cell) -> None:
        typed = {"ex_date": "2024-03-08", "pay_date": "2024-03-11", "amount": "1.2", "reason": "the issuer's notice"}
        shown, done = self.act(operator, self.operation("correct"), **typed)
        assert "IBM in Core, North: +7.50 USD net, anchor 99 to 98.8" in shown.content.decode()
        assert fresh(cell).cash == 5_045
        assert done.status_code == 302

    def test_seeing_it_does_nothing(self, operator: Client, cell: Cell) -> None:
        typed = {"ex_date": "2024-03-08", "pay_date": "2024-03-11", "amount": "1.2", "reason": "a notice"}
        operator.post(self.operation("correct"), typed)
        assert (fresh(cell).cash, CorporateAction.objects.get().revision) == (Decimal("5037.50"), 1)

    def test_what_would_be_done_must_be_what_was_shown(self, operator: Client, cell: Cell) -> None:
        typed = {"ex_date": "2024-03-08", "pay_date": "2024-03-11", "amount": "1.2", "reason": "a notice"}
        shown = operator.post(self.operation("correct"), typed)
        late = operator.post(
            self.operation("correct"), typed | {"amount": "1.5", "confirmed": shown.context["confirmed"]}
        )
        assert "has changed since it was shown" in late.content.decode()
        assert fresh(cell).cash == Decimal("5037.50")

    def test_withdrawing(self, operator: Client, cell: Cell) -> None:
        shown, _ = self.act(operator, self.operation("withdraw"), reason="never declared")
        assert "-37.50 USD net, anchor 99 to 100" in shown.content.decode()
        assert (fresh(cell).cash, fresh(cell).anchor) == (5_000, 100)

    def test_nothing_changed_is_refused_with_what_was_typed(self, operator: Client) -> None:
        typed = {"ex_date": "2024-03-08", "pay_date": "2024-03-11", "amount": "1", "reason": "a notice"}
        page = operator.post(self.operation("correct"), typed).content.decode()
        assert "is that already; nothing was changed" in page
        assert "a notice" in page

    def test_a_pay_date_taken_away_is_owed_again(self, operator: Client, cell: Cell) -> None:
        typed = {"ex_date": "2024-03-08", "pay_date": "", "amount": "1", "reason": "not yet set"}
        self.act(operator, self.operation("correct"), **typed)
        assert (fresh(cell).cash, fresh(cell).receivable) == (5_000, Decimal("37.50"))

    def test_importing_a_file_shows_every_row_first(self, operator: Client, cell: Cell) -> None:
        file = SimpleUploadedFile("actions.csv", (HEADER + "IBM,2024-03-08,1.2,,\nGONE,2024-03-08,1,,\n").encode())
        shown, done = self.act(
            operator, reverse("admin:trading_corporateaction_add"), source="notice", reason="monthly", file=file
        )
        told = shown.content.decode()
        assert "0 created, 1 changed, 0 unchanged, 1 refused." in told
        assert "line 3: refused: GONE" in told
        assert (done.status_code, fresh(cell).cash) == (302, 5_045)

    def test_rows_are_typed_on_lines_of_their_own(self, operator: Client) -> None:
        page = operator.get(reverse("admin:trading_corporateaction_add")).content.decode()
        assert '<textarea name="content"' in page
        assert 'enctype="multipart/form-data"' in page

    def test_a_file_that_cannot_be_read_says_why(self, operator: Client) -> None:
        typed = {"source": "notice", "reason": "monthly", "content": "symbol\nIBM\n"}
        page = operator.post(reverse("admin:trading_corporateaction_add"), typed).content.decode()
        assert "no column ex_date" in page

    def test_applications_are_found_by_their_standing(self, desk: Desk, operator: Client, cell: Cell) -> None:
        make_actions(Dividend(DAYS[0], 2.0), Split(dt.date(2024, 6, 3), 2.0))
        tick(desk.portfolio, {"IBM": 100}, at(DAYS[3]))
        listed = reverse("admin:trading_actionapplication_changelist")
        counts = {
            standing: operator.get(listed, {"standing": standing}).context["cl"].result_count
            for standing in ("unpaid", "due", "undated", "late", "corrected")
        }
        assert counts == {"unpaid": 1, "due": 0, "undated": 1, "late": 1, "corrected": 0}
