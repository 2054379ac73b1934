import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.live import ROOT, Installation, installation_start

STOP_WITHIN_SECONDS = 2.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_when_told_and_leaves_the_database_whole(prepared: Path, number: signal.Signals) -> None:
    running = installation_start(prepared)
    started = time.monotonic()
    code = running.stop(number)
    assert (code, time.monotonic() - started < STOP_WITHIN_SECONDS) == (0, True)
    assert "Traceback" not in running.output
    with closing(sqlite3.connect(prepared / "volbal.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_run_again_it_keeps_its_data_and_names_the_same_sign_ins(prepared: Path) -> None:
    before = (prepared / "sign-ins.txt").read_text()
    again = installation_start(prepared)
    again.stop()
    assert before.rstrip() in again.output
    assert "Loading the demonstration" not in again.output


def test_reset_starts_over_and_touches_nothing_beside_its_data(prepared: Path) -> None:
    beside = prepared.parent / "beside.txt"
    beside.write_text("mine")
    with closing(sqlite3.connect(prepared / "volbal.sqlite3")) as database:
        database.execute("CREATE TABLE left_over (id integer)")
    reset = installation_start(prepared, "--reset")
    reset.stop()
    with closing(sqlite3.connect(prepared / "volbal.sqlite3")) as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert "portfolios_tenant" in names
    assert "left_over" not in names
    assert "Loading the demonstration" in reset.output
    assert beside.read_text() == "mine"


def test_reset_refuses_a_database_that_is_not_its_own(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.sqlite3"
    elsewhere.write_text("")
    refusal = _serve_refused(tmp_path / "data", "--port", "0", "--reset", database=elsewhere)
    assert f"the database is {elsewhere}" in refusal
    assert elsewhere.exists()


def _get(running: Installation, path: str) -> str:
    with urllib.request.urlopen(f"{running.url}{path}", timeout=10) as answer:  # noqa: S310  # our own process
        assert answer.status == 200
        return str(answer.read().decode())


def test_its_pages_and_static_files_answer_without_a_warning(prepared: Path) -> None:
    running = installation_start(prepared)
    assert "Sign in" in _get(running, "/")
    assert _get(running, "/static/unfold/css/styles.css")
    running.stop()
    assert "Warning" not in running.output


def test_for_work_on_it_pages_carry_the_debug_toolbar_and_prices_are_made_up_beside_the_replay(prepared: Path) -> None:
    running = installation_start(prepared, DEBUG="1", SEED_SYNTHETIC_PRICES="1")
    assert "djDebug" in _get(running, "/")
    running.stop()
    with closing(sqlite3.connect(prepared / "volbal.sqlite3")) as database:
        feeds = {feed for (feed,) in database.execute("SELECT feed FROM portfolios_portfolio")}
    assert feeds == {"replay", "synthetic"}


def test_a_second_one_on_the_same_data_is_refused_with_what_to_do(prepared: Path) -> None:
    running = installation_start(prepared)
    second = _serve_refused(prepared, "--port", "0")
    running.stop()
    assert f"already serves the data in {prepared} (process {running.process.pid})" in second


def test_a_taken_port_is_refused_with_another_to_try(prepared: Path, tmp_path: Path) -> None:
    running = installation_start(prepared)
    port = int(running.url.rpartition(":")[2])
    second = _serve_refused(tmp_path / "two", "--port", str(port))
    running.stop()
    assert f"Port {port} of localhost is taken" in second
    assert f"make run PORT={port + 1}" in second
    assert not (tmp_path / "two" / "volbal.sqlite3").exists()


def _serve_refused(data_dir: Path, *arguments: str, database: Path | None = None) -> str:
    """Try to serve and return the refusal; ends by itself because it is refused."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "volbal.settings.development",
        "VOLBAL_DATA_DIR": str(data_dir),
        "DATABASE_URL": f"sqlite:///{database or data_dir / 'volbal.sqlite3'}",
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


def test_a_start_starts_no_cell_that_was_paused_or_halted(prepared: Path) -> None:
    with closing(sqlite3.connect(prepared / "volbal.sqlite3")) as database:
        paused, halted = (key for (key,) in database.execute("SELECT id FROM portfolios_cell ORDER BY id LIMIT 2"))
        database.execute("UPDATE portfolios_cell SET status = 'paused' WHERE id = ?", (paused,))
        database.execute(
            "INSERT INTO portfolios_tradingrestriction (level, tenant_id, broker, account_id, portfolio_id, cell_id, "
            "scope, label, state, cause, reason, cancels_orders, since, task, lifted_reason) "
            "SELECT 'cell', cell.tenant_id, '', portfolio.account_id, portfolio.id, cell.id, 'cell:' || cell.id, "
            "'Cell', 'halted', 'person', 'a drill', 1, '2024-03-07 15:30:00', '', '' FROM portfolios_cell AS cell "
            "JOIN portfolios_portfolio AS portfolio ON portfolio.id = cell.portfolio_id WHERE cell.id = ?",
            (halted,),
        )
        database.commit()
        traded = _orders_of(database, paused, halted)
    for _ in range(2):
        installation_start(prepared).stop()
    with closing(sqlite3.connect(prepared / "volbal.sqlite3")) as database:
        assert database.execute("SELECT status FROM portfolios_cell WHERE id = ?", (paused,)).fetchone() == ("paused",)
        held = database.execute("SELECT cell_id, lifted_at FROM portfolios_tradingrestriction").fetchall()
        assert (held, _orders_of(database, paused, halted)) == ([(halted, None)], traded)


def _orders_of(database: sqlite3.Connection, *cells: int) -> list[tuple[int]]:
    marks = ", ".join("?" * len(cells))
    return database.execute(f"SELECT id FROM trading_order WHERE cell_id IN ({marks}) ORDER BY id", cells).fetchall()  # noqa: S608
