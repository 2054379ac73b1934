"""`make coverage`: which lines and branches tests reach.

The compiled rule is measured as plain Python, since coverage cannot see into compiled code.

Runs on top of each other: the rule's tests with the compiler switched off, everything else as it always runs, and where
PostgreSQL and Redis answer the tests that need them.
"""

import os
import subprocess
import sys

from tests.run import on_services

PYTHON = sys.executable
# Without the reference data: its minute bars take long as plain Python and reach no line that the other tests do not.
RULE = ["tests/strategy", "-m", "not shared"]
REST = ["tests", "--ignore=tests/strategy", "-m", "not services"]
LINES_AT_LEAST = 90


def run(*arguments: str, **environment: str) -> int:
    """Run one command of this Python with what is added to its environment."""
    return subprocess.run([PYTHON, "-m", *arguments], env={**os.environ, **environment}).returncode


def main() -> None:
    """Measure, print what was missed, and end with 1 when a test failed or too little was reached."""
    served = on_services("services and not browser")
    pytest = ("pytest", "-q", "-n", "auto", "--cov", "--cov-report=")
    codes = [
        run("coverage", "erase"),
        run(*pytest, *RULE, NUMBA_DISABLE_JIT="1"),
        run(*pytest, "--cov-append", *REST),
        0 if served.why_not else run(*pytest, "--cov-append", "tests", *served.arguments, **served.environment),
        run("coverage", "report", "--skip-covered", "--show-missing", f"--fail-under={LINES_AT_LEAST}"),
    ]
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
