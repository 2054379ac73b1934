"""The table that `make conformance` prints, and the status it ends with."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.__main__ import Table

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(slots=True)
class Report:
    """What pytest tells of a test, as far as the table reads it."""

    nodeid: str
    failed: bool = False
    when: str = "call"
    longrepr: Any = None
    user_properties: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failed


def passed(adapter: str, case: str, why: str = "") -> Report:
    properties = [("conformance", (adapter, case, why))]
    return Report(f"x::test_the_broker_conforms[{adapter}-{case}]", user_properties=properties)


def test_a_row_for_each_case_and_a_column_for_each_adapter() -> None:
    table = Table()
    for report in (
        passed("paper", "one"),
        passed("other", "one", "cannot"),
        passed("paper", "two"),
        Report("x::test_the_broker_conforms[other-two]", failed=True, longrepr="AssertionError: no\nmore"),
    ):
        table.pytest_runtest_logreport(report)
    lines = table.lines({"one": "First", "two": "Second"}, ["paper", "other"])
    assert [line.split() for line in lines] == [
        ["paper", "other"],
        ["First", "pass", "not", "supported"],
        ["Second", "pass", "FAIL"],
    ]
    assert table.notes == ["not supported by other, one: cannot", "FAIL other, two: AssertionError: no"]


def test_a_case_that_did_not_run_is_a_failure() -> None:
    assert Table().lines({"one": "First"}, ["paper"])[1].split() == ["First", "FAIL"]


PLANTED = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "volbal.settings.test"
import django; django.setup()
from tests.conformance.__main__ import main
from trading.brokers.paper.book import Book
cancel = Book.cancel
Book.cancel = lambda book, client_order_id: not cancel(book, client_order_id)
sys.argv = ["conformance", "paper"]
sys.exit(main())
"""


def test_a_planted_fault_is_named_and_the_command_ends_with_1() -> None:
    done = subprocess.run([sys.executable, "-c", PLANTED], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    wanted = ("The same id again is the same", "An open order")
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(wanted)]
    assert [row[-1] for row in rows] == ["pass", "FAIL"]
    assert "FAIL paper, cancel_open: AssertionError: the broker says that it was not open" in done.stdout
