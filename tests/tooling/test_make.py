import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def _make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # What a make around this one passes down must not reach it.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env={**inherited, **environment}, capture_output=True, text=True, timeout=60
    )


def test_help_names_every_target_people_use() -> None:
    shown = _make("help").stdout
    for target in ("setup", "run", "dev", "test", "check", "format", "bench", "verify", "lock", "reconcile"):
        assert f"make {target} " in shown


def test_without_a_target_it_helps() -> None:
    assert _make().stdout == _make("help").stdout


def test_a_missing_python_is_told_what_to_do() -> None:
    done = _make("run", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "volbal needs Python 3.11 or newer, and no no-such-python was found" in done.stdout
    assert "make run PYTHON=/path/to/python" in done.stdout


def test_run_passes_the_address_and_starting_over_to_the_server() -> None:
    shown = _make("--dry-run", "run", "HOST=127.0.0.1", "PORT=8123", "RESET=1").stdout
    assert "manage.py serve --host 127.0.0.1 --port 8123 --reset" in shown


def test_reset_is_off_when_it_is_zero_or_absent() -> None:
    assert "--reset" not in _make("--dry-run", "run", "RESET=0").stdout
    assert "--reset" not in _make("--dry-run", "run").stdout
