import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.live import ROOT, installation_start

STOP_WITHIN_SECONDS = 2.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_when_told_and_leaves_the_database_whole(tmp_path: Path, number: signal.Signals) -> None:
    running = installation_start(tmp_path)
    started = time.monotonic()
    code = running.stop(number)
    assert (code, time.monotonic() - started < STOP_WITHIN_SECONDS) == (0, True)
    assert "Traceback" not in running.output
    with sqlite3.connect(tmp_path / "volbal.sqlite3") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_run_again_it_keeps_its_data_and_names_the_same_sign_ins(tmp_path: Path) -> None:
    first = installation_start(tmp_path)
    first.stop()
    again = installation_start(tmp_path)
    again.stop()
    assert again.password("trader@demo.example") == first.password("trader@demo.example")
    assert "Loading the demonstration" not in again.output


def test_reset_starts_over(tmp_path: Path) -> None:
    first = installation_start(tmp_path)
    first.stop()
    with sqlite3.connect(tmp_path / "volbal.sqlite3") as database:
        database.execute("CREATE TABLE left_over (id integer)")
    database.close()
    installation_start(tmp_path, "--reset").stop()
    with sqlite3.connect(tmp_path / "volbal.sqlite3") as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    database.close()
    assert "portfolios_tenant" in names
    assert "left_over" not in names


def test_its_pages_answer_and_their_static_files_too(tmp_path: Path) -> None:
    running = installation_start(tmp_path)
    with urllib.request.urlopen(f"{running.url}/admin/login/", timeout=10) as answer:  # noqa: S310  # our own process
        assert answer.status == 200
    with urllib.request.urlopen(f"{running.url}/static/unfold/css/styles.css", timeout=10) as answer:  # noqa: S310
        assert answer.status == 200
    running.stop()
    assert "Warning" not in running.output


def test_a_second_one_on_the_same_data_is_refused_with_what_to_do(tmp_path: Path) -> None:
    running = installation_start(tmp_path)
    second = _serve_refused(tmp_path, "--port", "0")
    running.stop()
    assert f"already serves the data in {tmp_path} (process {running.process.pid})" in second


def test_a_taken_port_is_refused_with_another_to_try(tmp_path: Path) -> None:
    running = installation_start(tmp_path / "one")
    port = int(running.url.rpartition(":")[2])
    second = _serve_refused(tmp_path / "two", "--port", str(port))
    running.stop()
    assert f"Port {port} of localhost is taken" in second
    assert f"make run PORT={port + 1}" in second
    assert not (tmp_path / "two" / "volbal.sqlite3").exists()


def _serve_refused(data_dir: Path, *arguments: str) -> str:
    """Try to serve and return the refusal; ends by itself because it is refused."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "volbal.settings.development",
        "VOLBAL_DATA_DIR": str(data_dir),
        "DATABASE_URL": f"sqlite:///{data_dir / 'volbal.sqlite3'}",
        "REDIS_URL": "",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "serve", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr
