"""Serving while someone works on the code: the process is started again whenever a source file changes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

from django.conf import settings
from watchfiles import Change, watch

WATCHED = ("volbal", "portfolios", "trading", "optimization", "reporting", "templates", "static")
SUFFIXES = (".py", ".html", ".css", ".js")
# A little longer than a clean end takes.
STOP_SECONDS = 4.0


def serve_reloading(
    *, host: str, port: int, reset: bool, starting: Callable[[list[str]], subprocess.Popen[bytes]] = subprocess.Popen
) -> None:
    """Run `manage.py serve` as a child, again at every change; only its first start removes data."""
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve", "--host", host, "--port", str(port)]
    folders = [path for name in WATCHED if (path := settings.BASE_DIR / name).is_dir()]
    child = starting([*manage, "--reset"] if reset else manage)
    try:
        for _ in watch(*folders, watch_filter=is_source, raise_interrupt=False):
            _end(child)
            child = starting(manage)
    finally:
        _end(child)


def is_source(_: Change, path: str) -> bool:
    """Tell whether a change of this file calls for a new start."""
    return path.endswith(SUFFIXES)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask the child to end as Ctrl-C would; one that will not is killed, which its database survives."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
