"""A whole installation in a process of its own, as `make run` starts it, and a browser to look at it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests import services

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120
STOP_SECONDS = 5
ADDRESS = re.compile(r"volbal serves (http://\S+?)/? ")
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(slots=True)
class Installation:
    """A running `manage.py serve`: its address, its data and everything it has printed so far."""

    process: subprocess.Popen[str]
    data_dir: Path
    url: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return "".join(self.lines)

    def password(self, email: str) -> str:
        """Return what was printed as the password of `email`."""
        found = re.search(rf"{re.escape(email)}\s+(\S+)", self.output)
        assert found is not None, f"no sign-in was printed for {email}:\n{self.output}"
        return found[1]

    def stop(self, number: int = signal.SIGINT) -> int:
        """End it as Ctrl-C does and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def installation_start(data_dir: Path, *arguments: str, **environment: str) -> Installation:
    """Start an installation on a free port with its data in `data_dir`; returns when it serves."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--port", "0", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "volbal.settings.development",
            "VOLBAL_DATA_DIR": str(data_dir),
            "DATABASE_URL": f"sqlite:///{data_dir / 'volbal.sqlite3'}",
            "REDIS_URL": "",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    started = Installation(process, data_dir)
    serves = threading.Event()
    threading.Thread(target=_read, args=(started, serves), daemon=True).start()
    if not serves.wait(START_SECONDS) or not started.url:
        process.kill()
        process.wait()
        pytest.fail(f"the installation did not start:\n{started.output}")
    return started


def _read(installation: Installation, serves: threading.Event) -> None:
    """Keep what is printed, so that the pipe never fills, and note the address; ends with the process."""
    assert installation.process.stdout is not None
    with installation.process.stdout as lines:
        for line in lines:
            installation.lines.append(line)
            if address := ADDRESS.search(line):
                installation.url = address[1]
                serves.set()
    serves.set()


@pytest.fixture(scope="session")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data as the first start leaves it, made once: loading the demonstration takes its time."""
    folder = tmp_path_factory.mktemp("prepared")
    installation_start(folder).stop()
    return folder


@pytest.fixture
def prepared(_prepared: Path, tmp_path: Path) -> Path:
    """A copy of a stopped installation's data, for this test alone."""
    return Path(shutil.copytree(_prepared, tmp_path / "prepared"))


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A demonstration that trades, shared by all tests that look at it."""
    started = installation_start(tmp_path_factory.mktemp("installation"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a head."""
    found = services.chromium()
    if found.why_not:
        pytest.skip(found.why_not)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found.address, args=BROWSER_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, installation: Installation) -> Iterator[Page]:
    """A fresh page of the installation; an error in its console or a request to another host fails the test."""
    context = browser.new_context(base_url=installation.url, viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    faults: list[str] = []
    home = urlsplit(installation.url).netloc

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def on_request(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.netloc != home:
            faults.append(f"request to another host: {request.url}")

    opened.on("console", on_console)
    opened.on("pageerror", lambda error: faults.append(f"script: {error}"))
    opened.on("request", on_request)
    yield opened
    context.close()
    assert not faults, "\n".join(faults)
