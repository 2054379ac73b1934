"""Old HOLD evaluations leave for files, and every page answers as if they had not."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from portfolios.models import Cell, Event
from portfolios.services import cell_deposit, member_add, user_create
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, make_desk, open_cell, tick
from trading import tasks
from trading.models import Evaluation, EvaluationArchive, Order, RetentionPolicy
from trading.selectors import charts, records
from trading.selectors.performance import daily_points
from trading.services import archives
from trading.services.archive_files import COLUMNS
from trading.services.archives import ArchiveError, evaluations_archive, retention_set
from trading.services.orders import orders_send
from volbal.common import clock
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant, tenant_scope

PRICES = (100, 101, "99.5", 104, 104, "103.123456", 103, 120, 119, 100)
OLD_DAYS = 200


@pytest.fixture
def asked(desk: Desk, cell: Cell) -> Cell:
    """A cell that was asked thirty times long ago, HOLD mostly, and ten times now; another beside it."""
    open_cell(desk.portfolio, "AAPL")
    for minute in range(40):
        price = PRICES[minute % len(PRICES)]
        tick(desk.portfolio, {"IBM": price, "AAPL": 100}, OPEN + dt.timedelta(minutes=minute))
        orders_send(account_id=desk.account.pk)
    age(Evaluation.objects.filter(as_of__lt=OPEN + dt.timedelta(minutes=30)))
    return cell


def age(rows: Any) -> None:
    """Let rows have been recorded long ago."""
    rows.update(recorded_at=clock.now() - dt.timedelta(days=OLD_DAYS))


def client_of(desk: Desk, role: str) -> Client:
    person = user_create(email=f"{role}@people.example", password="long enough 1", origin=BY_TEST)
    member_add(tenant=desk.tenant, user=person, role=role, origin=BY_TEST)
    client = Client()
    client.force_login(person)
    return client


def stored(cell: Cell) -> list[tuple[Any, ...]]:
    return list(Evaluation.objects.filter(cell=cell).order_by("-id").values_list(*COLUMNS))


def all_pages(cell: Cell, actions: tuple[str, ...], size: int) -> list[list[tuple[Any, ...]]]:
    """Return each page of the timeline, every column of it."""
    pages, before = [], None
    while True:
        page = records.timeline_page(cell, actions, before, size)
        pages.append([tuple(getattr(row, name) for name in COLUMNS) for row in page.rows])
        before = page.older
        if before is None:
            return pages


@pytest.mark.histories
class TestTheSameAsBefore:
    """Whatever shows evaluations shows the same rows, every column of them, before and after."""

    @pytest.mark.parametrize("size", [1, 7, 25, 100])
    @pytest.mark.parametrize("actions", [(), ("HOLD",), ("SELL", "BUY"), ("HOLD", "SELL"), ("SKIP",), ("nonsense",)])
    def test_pages_and_filters(self, asked: Cell, actions: tuple[str, ...], size: int) -> None:
        before = all_pages(asked, actions, size)
        assert evaluations_archive().row_count > 20
        assert all_pages(asked, actions, size) == before

    @pytest.mark.parametrize("rows_in_a_file", [1, 4, 50_000])
    def test_however_many_files_there_are(
        self, asked: Cell, rows_in_a_file: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archives, "ROWS_IN_A_FILE", rows_in_a_file)
        before, table = all_pages(asked, (), 7), stored(asked)
        done = evaluations_archive()
        assert done.file_count == -(-done.row_count // rows_in_a_file) == EvaluationArchive.objects.count()
        assert all_pages(asked, (), 7) == before
        assert [row for page in before for row in page] == table

    def test_downloads_charts_and_figures(self, desk: Desk, asked: Cell) -> None:
        cell_deposit(cell=asked, cash=Decimal(100), as_of=OPEN + dt.timedelta(minutes=11, seconds=5), origin=BY_TEST)
        trader = client_of(desk, "trader")
        addresses = [
            reverse("cell-export", args=[asked.pk, "timeline"]),
            reverse("cell-export", args=[asked.pk, "timeline"]) + "?action=HOLD&action=BUY",
            reverse("cell-export", args=[asked.pk, "prices"]),
            reverse("cell-export", args=[asked.pk, "performance"]),
            reverse("cell", args=[asked.pk]) + "?columns=holding",
        ]

        def shown() -> list[Any]:
            answers = [trader.get(address) for address in addresses]
            texts = [b"".join(answer).decode() for answer in answers]
            texts[-1] = texts[-1].partition('id="tab-panel"')[2].partition("</table>")[0]
            points = charts.price_points(asked), charts.price_points(asked, after=int(OPEN.timestamp()) + 600)
            assert all(answer.status_code == 200 for answer in answers)
            return [*texts, points, daily_points(asked)]

        before = shown()
        evaluations_archive()
        assert shown() == before
        rows = list(csv.reader(io.StringIO(before[0])))
        assert len(rows) == 41

    def test_a_page_of_what_is_new_opens_no_file(self, asked: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
        evaluations_archive()

        def opened(*_: Any, **__: Any) -> Any:
            raise AssertionError("a file was opened")

        monkeypatch.setattr("trading.selectors.history.parquet_rows", opened)
        monkeypatch.setattr("trading.selectors.history._read", opened)
        assert len(records.timeline_page(asked, (), None, 4).rows) == 4
        assert records.timeline_page(asked, ("SELL", "BUY"), None, 100).rows


class TestWhatLeaves:
    """Only HOLD rows that are old enough; nothing that an order or a figure refers to."""

    def test_orders_signals_and_what_is_new_stay(self, asked: Cell) -> None:
        kept = set(Evaluation.objects.exclude(action="HOLD").values_list("pk", flat=True))
        new = set(Evaluation.objects.filter(as_of__gte=OPEN + dt.timedelta(minutes=30)).values_list("pk", flat=True))
        done = evaluations_archive()
        left = set(Evaluation.objects.values_list("pk", flat=True))
        assert left == kept | new
        assert done.row_count == 80 - len(left)
        assert Order.objects.exclude(evaluation=None).count() == Order.objects.count() > 0

    def test_the_last_row_before_a_deposit_stays(self, asked: Cell) -> None:
        moment = OPEN + dt.timedelta(minutes=5, seconds=5)
        cell_deposit(cell=asked, cash=Decimal(100), as_of=moment, origin=BY_TEST)
        evaluations_archive()
        newest = Evaluation.objects.filter(cell=asked, as_of__lte=moment).latest("as_of")
        assert newest.as_of == OPEN + dt.timedelta(minutes=5)

    def test_each_portfolio_and_month_has_its_own_files(self, asked: Cell) -> None:
        first = Evaluation.objects.filter(action="HOLD").order_by("id")[:5]
        Evaluation.objects.filter(pk__in=list(first.values_list("pk", flat=True))).update(
            recorded_at=clock.now() - dt.timedelta(days=OLD_DAYS + 40)
        )
        south = make_desk("south")
        with tenant_scope(south.tenant.pk):
            open_cell(south.portfolio)
            tick(south.portfolio, {"IBM": 100})
            age(Evaluation.objects.all())
        with every_tenant():
            evaluations_archive()
            found = EvaluationArchive.objects.order_by("tenant_id", "first_id")
            assert [(one.tenant_id, one.row_count > 0) for one in found] == [
                (asked.tenant_id, True), (asked.tenant_id, True), (south.tenant.pk, True),
            ]  # fmt: skip
            assert found[0].month < found[1].month
            assert all(f"/{one.tenant_id}/{one.portfolio_id}/" in one.file.name for one in found)

    def test_each_file_is_told_with_its_rows_and_checksum(self, asked: Cell) -> None:
        evaluations_archive()
        archive = EvaluationArchive.objects.get()
        told = Event.objects.get(kind="evaluations.archived").after
        assert (told["rows"], told["sha256"]) == (archive.row_count, archive.sha256)


class TestKilled:
    """A run that ends anywhere loses nothing, doubles nothing, and is finished by the next."""

    @pytest.mark.parametrize("step", ["file written", "row committed", "file verified", "rows taken"])
    def test_anywhere(self, asked: Cell, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
        before = all_pages(asked, (), 7)
        killed: dict[str, tuple[Any, str]] = {
            "file written": (EvaluationArchive, "save"),
            "row committed": (archives, "archive_verify"),
            "file verified": (archives, "subject_of"),
            "rows taken": (archives, "event_record"),
        }
        owner, name = killed[step]

        def dies(*_: Any, **__: Any) -> Any:
            raise SystemExit("killed")

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, dies)
            with pytest.raises(SystemExit):
                evaluations_archive()
        assert all_pages(asked, (), 7) == before
        assert len(stored(asked)) == 40
        evaluations_archive()
        assert all_pages(asked, (), 7) == before
        assert EvaluationArchive.objects.filter(removed_at=None).count() == 0
        assert EvaluationArchive.objects.count() == Event.objects.filter(kind="evaluations.archived").count() == 1
        folder = archives.EvaluationArchive.objects.get().file.name.rpartition("/")[0]
        assert len(EvaluationArchive._meta.get_field("file").storage.listdir(folder)[1]) == 1

    def test_a_second_run_finds_nothing_more(self, asked: Cell) -> None:
        assert evaluations_archive().file_count == 1
        assert evaluations_archive() == archives.Archived(0, 0)

    @pytest.mark.parametrize("damage", ["changed", "shortened", "gone"])
    def test_a_damaged_file_takes_nothing_from_the_table(
        self, asked: Cell, damage: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(archives, "_remove", lambda archive: 0)
            patch.setattr(archives, "ROWS_IN_A_FILE", 50_000)
            evaluations_archive()
        archive = EvaluationArchive.objects.get()
        harm(archive, damage)
        with pytest.raises(ArchiveError):
            evaluations_archive()
        assert len(stored(asked)) == 40
        assert EvaluationArchive.objects.get().removed_at is None


def harm(archive: EvaluationArchive, damage: str) -> None:
    storage, name = archive.file.storage, archive.file.name
    with storage.open(name) as file:
        content = file.read()
    storage.delete(name)
    if damage != "gone":
        changed = content[:-20] if damage == "shortened" else content[:50] + b"!" + content[51:]
        assert storage.save(name, ContentFile(changed)) == name


class TestPeople:
    """The command, the schedule, the console."""

    def test_the_command_says_what_it_did_and_verifies(self, asked: Cell) -> None:
        out = StringIO()
        call_command("archive_evaluations", stdout=out)
        assert "archived in 1 files" in out.getvalue()
        call_command("archive_evaluations", "--verify", stdout=out)
        assert "1 files are what was written." in out.getvalue()
        harm(EvaluationArchive.objects.get(), "changed")
        with pytest.raises(CommandError, match="1 of 1 files are not what was written"):
            call_command("archive_evaluations", "--verify", stdout=out)
        with pytest.raises(CommandError, match="expected at least 1"):
            call_command("archive_evaluations", "--days", "0")

    def test_the_schedule_archives_for_every_tenant(self, asked: Cell) -> None:
        tasks.archive_old_evaluations()
        assert EvaluationArchive.objects.count() == 1

    def test_days_are_set_by_the_platform_operator_alone(self, desk: Desk, asked: Cell, admin_client: Client) -> None:
        RetentionPolicy.objects.get_or_create(pk=1)  # tests that empty the database take what migrations wrote along
        address = f"{reverse('admin:trading_retentionpolicy_operation_set')}?ids=1"
        typed = {"hold_days": str(OLD_DAYS + 1), "reason": "keep more"}
        assert client_of(desk, "owner").post(address, typed).status_code == 403
        assert admin_client.post(address, typed).status_code == 302
        assert RetentionPolicy.objects.get().hold_days == OLD_DAYS + 1
        assert evaluations_archive().row_count == 0
        with every_tenant():
            assert Event.objects.get(kind="retention.set").after == {"hold_days": OLD_DAYS + 1}
        with pytest.raises(Refused, match="expected at least 1"):
            retention_set(hold_days=0, origin=BY_TEST)

    def test_the_console_lists_the_files(self, desk: Desk, asked: Cell) -> None:
        evaluations_archive()
        page = client_of(desk, "operator").get(reverse("admin:trading_evaluationarchive_changelist"))
        assert EvaluationArchive.objects.get().sha256 in page.content.decode()

    def test_a_missing_file_is_said_to_who_looks(self, asked: Cell) -> None:
        evaluations_archive()
        harm(EvaluationArchive.objects.get(), "gone")
        with pytest.raises(ArchiveError, match="Bring the folder of files back"):
            records.timeline_page(asked, ("HOLD",), None, 100)
