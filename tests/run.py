"""`make test`: the whole suite in parts, and a last word on which parts ran.

1. everything on SQLite and in-process parts, which needs nothing installed;
2. where PostgreSQL and Redis answer, the tests marked `services`, and again those of the database, but for the ones
   marked `histories`, which prove arithmetic and take long;
3. where Chromium is installed, the tests marked `browser`.

With CI=true or --require-all a part that cannot run is a failure. Anything after `--` goes to pytest.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

from tests import services

ROOT = Path(__file__).resolve().parent.parent
NO_TESTS_COLLECTED = 5
PARALLEL = ("-n", "auto", "--dist", "loadfile")


@dataclass(frozen=True, slots=True)
class Part:
    """One run of pytest: its name, its arguments, what it adds to the environment, and why it cannot run."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a part."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    why_not: str = ""

    def __str__(self) -> str:
        if self.why_not:
            return f"  did not run  {self.name}: {self.why_not}"
        counts = f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"
        return f"  ran          {self.name}: {counts}, {self.seconds:.0f} s"


def parts() -> list[Part]:
    """Return the three parts as this machine allows them."""
    browser = services.chromium()
    return [
        Part("SQLite and in-process parts", (*PARALLEL, "-m", "not services and not browser")),
        on_services("(services or database) and not (browser or histories)"),
        Part("browser", ("-m", "browser"), {"CHROMIUM": browser.address}, browser.why_not),
    ]


def on_services(marks: str) -> Part:
    """Return the run of tests with these marks on PostgreSQL and Redis, with why it cannot be where they are absent."""
    database, cache = services.postgresql(), services.redis_server()
    return Part(
        "PostgreSQL and Redis",
        (*PARALLEL, "-m", marks),
        {"DATABASE_URL": _own_database(database.address), "REDIS_URL": cache.address},
        "; ".join(filter(None, (database.why_not, cache.why_not))),
    )


def _own_database(address: str) -> str:
    """Return the address with a name of this run's own, so that two runs never share a test database."""
    before, _, options = address.partition("?")
    base, _, _ = before.rpartition("/")
    return f"{base}/volbal_{os.getpid()}{'?' if options else ''}{options}"


def run(part: Part, extra: list[str]) -> Outcome:
    """Run one part, its output going straight to the screen, and count what came of it."""
    if part.why_not:
        return Outcome(part.name, why_not=part.why_not)
    print(f"\n── {part.name}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", *part.arguments, f"--junitxml={report}", *extra]
        code = subprocess.run(command, cwd=ROOT, env={**os.environ, **part.environment}).returncode
        counts = _counts(report)
    if code == NO_TESTS_COLLECTED:
        return Outcome(part.name, why_not="no test is marked for it")
    passed, failed, skipped = counts
    # A run that ends badly without a failed test (a crash, a usage error) is a failure all the same.
    failed = max(failed, 1) if code != 0 else failed
    return Outcome(part.name, passed, failed, skipped, time.monotonic() - started)


def _counts(report: Path) -> tuple[int, int, int]:
    """Return the tests passed, failed and skipped in pytest's report."""
    if not report.exists():
        return 0, 0, 0
    suites = ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314  # pytest has just written it
    tests = failed = skipped = 0
    for suite in suites:
        tests += int(suite.get("tests", "0"))
        failed += int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        skipped += int(suite.get("skipped", "0"))
    return tests - failed - skipped, failed, skipped


def main() -> None:
    """Run every part that can run, say which did, and end with 1 when a test failed or a required part did not run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--require-all", action="store_true", default=os.environ.get("CI", "").lower() == "true")
    options, extra = parser.parse_known_args()
    outcomes = [run(part, [argument for argument in extra if argument != "--"]) for part in parts()]
    print("\nWhat ran:")
    for outcome in outcomes:
        print(outcome)
    absent = [outcome for outcome in outcomes if outcome.why_not]
    if options.require_all and absent:
        print("Every part is required here; install or start what is missing.")
    failed = sum(outcome.failed for outcome in outcomes) + (len(absent) if options.require_all else 0)
    skipped = sum(outcome.skipped for outcome in outcomes)
    print(f"{sum(outcome.passed for outcome in outcomes)} passed, {failed} failed, {skipped} skipped", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
