"""manage.py serve"""

from __future__ import annotations

import io
import os
import signal
import socket
from pathlib import Path
from typing import Any

from celery.app.utils import find_app
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from volbal.common.errors import Refused
from volbal.common.serving.listening import sockets_bind
from volbal.common.serving.preparation import data_held, data_reset, is_empty, tables_prepare
from volbal.common.serving.reloading import serve_reloading
from volbal.common.serving.server import EmbeddedServer
from volbal.common.serving.workers import Background

ASGI_APPLICATION = "volbal.asgi:application"
CELERY_APPLICATION = "volbal.celery:app"
# The server has a second for open pages before this; together they stay within two.
BACKGROUND_SECONDS = 0.9
SIGN_INS_FILE = "sign-ins.txt"


class Command(BaseCommand):
    """Run the whole installation in this one process until Ctrl-C."""

    help = "Prepare the database, fill an empty one with the demonstration, and serve everything from one process."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address, starting over and reloading."""
        parser.add_argument("--host", default="localhost", help="name or address to listen on (localhost)")
        parser.add_argument("--port", default=8000, type=int, help="port to listen on (8000; 0 takes a free one)")
        parser.add_argument("--reset", action="store_true", help="remove this installation's data and start over")
        parser.add_argument("--reload", action="store_true", help="start again whenever a file of the project changes")

    def handle(self, *args: Any, host: str, port: int, reset: bool, reload: bool, **options: Any) -> None:
        """Serve until told to end, by Ctrl-C or SIGTERM alike. Raises CommandError with what to do when it cannot."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            if reload:
                serve_reloading(host=host, port=port, reset=reset)
            else:
                self._serve(host, port, reset)
        except KeyboardInterrupt:
            self._leave()
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal

    def _serve(self, host: str, port: int, reset: bool) -> None:
        data_dir = Path(settings.DATA_DIR)
        with data_held(data_dir):
            sockets = sockets_bind(host=host, port=port)
            if reset:
                data_reset(data_dir)
                (data_dir / SIGN_INS_FILE).unlink(missing_ok=True)
            self._prepare(data_dir)
            self._run(sockets, f"http://{host}:{sockets[0].getsockname()[1]}/", data_dir)

    def _prepare(self, data_dir: Path) -> None:
        """Bring the tables up to date and fill an empty database; both are quick when there is nothing to do."""
        tables_prepare()
        sign_ins = data_dir / SIGN_INS_FILE
        seeds_more = settings.SEED_SYNTHETIC_PRICES and sign_ins.exists()
        if is_empty() or seeds_more:
            self._say("Loading the demonstration, which takes a moment the first time while the rule is compiled …")
            shown = io.StringIO()
            call_command("demo", stdout=shown)
            sign_ins.touch(mode=0o600)
            sign_ins.write_text(shown.getvalue())
        connections.close_all()

    def _run(self, sockets: list[socket.socket], address: str, data_dir: Path) -> None:
        """Run the background beside the server and end both, whatever ended the server."""
        background = Background(find_app(CELERY_APPLICATION))
        try:
            background.start()
            EmbeddedServer(ASGI_APPLICATION, lambda: self._announce(address, data_dir)).run(sockets)
        finally:
            # A second Ctrl-C must not cut the ending short.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            background.stop(BACKGROUND_SECONDS)
            connections.close_all()

    def _announce(self, address: str, data_dir: Path) -> None:
        """Print where it serves and who can sign in: the last lines before it waits."""
        sign_ins = data_dir / SIGN_INS_FILE
        if sign_ins.exists():
            self._say(sign_ins.read_text().rstrip())
        self._say(f"\nvolbal serves {address}   (Ctrl-C stops it; your data stays in {data_dir})")

    def _leave(self) -> None:
        """End the process now: taking the interpreter down would wait for threads that still compute."""
        self._say("Stopped.")
        os._exit(0)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
