import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchfiles import Change

from tests.live import ROOT
from volbal.common.serving.reloading import is_source

WITHIN_SECONDS = 20
# Stands for manage.py: notes each start with its arguments, then waits to be ended.
CHILD = """
import signal, sys, pathlib
starts = pathlib.Path(__file__).with_name("starts.txt")
with starts.open("a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
try:
    signal.pause()
except KeyboardInterrupt:
    pathlib.Path(__file__).with_name("ended.txt").touch()
"""
PARENT = """
import pathlib, sys
from django.conf import settings
settings.configure(BASE_DIR=pathlib.Path(sys.argv[1]))
from volbal.common.serving.reloading import serve_reloading
try:
    serve_reloading(host="localhost", port=8123, reset=True)
except KeyboardInterrupt:
    pass  # as the command does, when Ctrl-C comes while a child is being started or ended
"""


def _eventually(holds: Callable[[], bool]) -> bool:
    ends = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project in miniature, served with reload."""
    (tmp_path / "manage.py").write_text(CHILD)
    (tmp_path / "templates").mkdir()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT)
    try:
        yield tmp_path
        parent.send_signal(signal.SIGINT)
        assert parent.wait(WITHIN_SECONDS) == 0
    finally:
        parent.kill()
        parent.wait()


def _starts(project: Path) -> list[str]:
    path = project / "starts.txt"
    return path.read_text().splitlines() if path.exists() else []


def test_a_changed_template_ends_the_process_and_starts_it_again_without_removing_data(project: Path) -> None:
    assert _eventually(lambda: len(_starts(project)) == 1)

    def changed() -> bool:
        # Written anew until it is noticed: watching begins a moment after the first start.
        (project / "templates" / "page.html").write_text(f"<p>{time.monotonic()}</p>")
        return len(_starts(project)) >= 2

    assert _eventually(changed)
    assert _eventually((project / "ended.txt").exists)
    assert _starts(project)[0] == "serve --host localhost --port 8123 --reset"
    assert _starts(project)[1] == "serve --host localhost --port 8123"


@pytest.mark.parametrize("path", ["volbal/urls.py", "templates/base.html", "static/css/base.css", "static/js/live.js"])
def test_sources_call_for_a_new_start(path: str) -> None:
    assert is_source(Change.modified, path)


@pytest.mark.parametrize("path", ["volbal/__pycache__/urls.cpython-311.pyc", "static/icon.svg", "volbal/notes.txt~"])
def test_other_files_do_not(path: str) -> None:
    assert not is_source(Change.modified, path)
