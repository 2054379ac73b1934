"""`make conformance`: put every adapter to the suite and print what each supports, one row a case.

Ends with 1 when a case fails with any adapter. Adapters are named as arguments; without one, all run.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
MARKS = {"pass": "pass", "absent": "not supported", "FAIL": "FAIL"}


@dataclass(slots=True)
class Table:
    """Outcomes by case and adapter, gathered from pytest as its plugin."""

    outcomes: dict[tuple[str, str], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take up what came of one case with one adapter."""
        told = dict(report.user_properties).get("conformance")
        if report.when == "call" and report.passed and told is not None:
            self._keep(*told)
        elif report.failed and "test_the_broker_conforms[" in report.nodeid:
            adapter, case = report.nodeid.partition("[")[2].rstrip("]").split("-", 1)
            self.outcomes[case, adapter] = "FAIL"
            self.notes.append(f"FAIL {adapter}, {case}: {_why(report)}")

    def _keep(self, adapter: str, case: str, why: str) -> None:
        self.outcomes.setdefault((case, adapter), "absent" if why else "pass")
        if why:
            self.notes.append(f"not supported by {adapter}, {case}: {why}")

    def lines(self, titles: dict[str, str], adapters: list[str]) -> list[str]:
        """Return the table, one line a case."""
        wide = max(len(title) for title in titles.values())
        columns = [max(len(adapter), len(MARKS["absent"])) for adapter in adapters]
        head = "  ".join(f"{adapter:<{width}}" for adapter, width in zip(adapters, columns, strict=True))
        rows = [f"{'':<{wide}}  {head}".rstrip()]
        for case, title in titles.items():
            marks = [MARKS[self.outcomes.get((case, adapter), "FAIL")] for adapter in adapters]
            told = "  ".join(f"{mark:<{width}}" for mark, width in zip(marks, columns, strict=True))
            rows.append(f"{title:<{wide}}  {told}".rstrip())
        return rows


def _why(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(report.longrepr if crash is None else crash.message).splitlines()[0]


def main() -> int:
    """Run the suite, print the table and return the status to end with."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "volbal.settings.test")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapters", nargs="*", help="columns to run; all without one")
    chosen = parser.parse_args().adapters
    table = Table()
    wanted = ["-k", " or ".join(f"{adapter}-" for adapter in chosen)] if chosen else []
    code = pytest.main(["-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", str(HERE), *wanted], plugins=[table])
    # Django is set up by now.
    from tests.conformance.cases import CASES, title_of
    from tests.conformance.harnesses import HARNESSES

    adapters = [name for name in HARNESSES if not chosen or name in chosen]
    print("\n" + "\n".join(table.lines({case: title_of(one) for case, one in CASES.items()}, adapters)) + "\n")
    for note in table.notes:
        print(textwrap.fill(note, 118, subsequent_indent="    "))
    failed = any(table.outcomes.get((case, adapter), "FAIL") == "FAIL" for case in CASES for adapter in adapters)
    return 1 if failed or code != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
