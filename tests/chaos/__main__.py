"""Chaos: `python -m tests.chaos [--kills 200] [--seconds 600] [--seed N]`.

Starts PostgreSQL and Redis of its own, web, scheduler and workers, and a load of cells that trade every few seconds
at paper brokers that lose answers, reject, fill in parts, report twice and out of order, and go silent. Meanwhile
workers are killed with SIGKILL at random moments, PostgreSQL crashes, Redis forgets everything, web and scheduler
die. Then the load is paused, what is under way may end, and every promise is checked. The seed makes the brokers'
faults and the order of blows repeatable; the moments at which blows land are the machine's.
"""

import argparse
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.chaos.processes import ROOT, Reborn, Restarted
from tests.chaos.servers import MissingError, PostgreSQL, Redis, await_true, free_port

PAUSE_SECONDS = (0.2, 1.6)
# How often each blow falls among a hundred; the rest are workers killed.
RARE = {"redis": 1, "postgresql": 1, "web": 2, "scheduler": 2}
# Blows that a short run must not miss fall at these shares of it.
CERTAIN = {0.2: "redis", 0.35: "postgresql crash", 0.5: "web", 0.6: "scheduler", 0.7: "redis", 0.85: "postgresql"}
REST_SECONDS = 45
SETTLE_SECONDS = 240


def say(text: str) -> None:
    """Print a line with the time it took to get there."""
    sys.stdout.write(f"{time.monotonic() - STARTED:7.1f} s  {text}\n")
    sys.stdout.flush()


STARTED = time.monotonic()


class Run:
    """One run: its servers, its processes and what was done to them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.log = folder / "output.txt"
        self.database, self.redis = PostgreSQL.start(folder), Redis.start(folder)
        self.port = free_port()
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "volbal.settings.development",
            "DATABASE_URL": self.database.address,
            "REDIS_URL": self.redis.address,
            "VOLBAL_DATA_DIR": str(folder),
            "SECRET_KEY": secrets.token_hex(32),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self.workers: list[Reborn] = []
        self.others: dict[str, Restarted] = {}
        self.blows: dict[str, int] = {}
        self.ending = threading.Event()

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the installation."""
        return subprocess.run(
            [sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )

    def launch(self) -> None:
        """Start everything that serves."""
        web = ["gunicorn", "volbal.wsgi:application", "--bind", f"127.0.0.1:{self.port}", "--threads", "2"]
        beat = ["celery", "-A", "volbal.celery", "beat", "--pidfile=", "--loglevel", "ERROR"]
        for name, words in (("web", web), ("scheduler", beat)):
            self.others[name] = Restarted(name, words, self.environment, self.log)
        self.workers = [
            Reborn.start(queue, self.environment, self.log) for queue in ("ticks", "orders", "ticks", "orders")
        ]
        threading.Thread(target=self._watch_over, daemon=True).start()

    def _watch_over(self) -> None:
        """Start again what died, as systemd does."""
        while not self.ending.wait(0.5):
            for one in self.others.values():
                one.ensure()

    def strike(self, what: str) -> None:
        """Deal one blow and count it."""
        if what == "worker":
            if not self.random.choice(self.workers).kill():
                return
        elif what == "redis":
            self.redis.restart()
        elif what.startswith("postgresql"):
            self.database.restart("immediate" if "crash" in what else "fast")
        elif not self.others[what].kill():
            return
        self.blows[what] = self.blows.get(what, 0) + 1

    def choose(self) -> str:
        """Return the next blow."""
        drawn = self.random.uniform(0, 100)
        for name, weight in RARE.items():
            drawn -= weight
            if drawn < 0:
                return f"{name} crash" if name == "postgresql" and self.random.random() < 0.5 else name
        return "worker"

    def stop(self) -> None:
        """End every process of the run."""
        self.ending.set()
        for worker in self.workers:
            worker.stop()
        for one in self.others.values():
            one.kill()
        self.redis.stop()
        self.database.stop()


def batter(run: Run, kills: int, ends: float) -> None:
    """Deal blows until enough workers were killed or the time is over."""
    certain = dict(CERTAIN)
    told = 0
    while run.blows.get("worker", 0) < kills and time.monotonic() < ends:
        time.sleep(run.random.uniform(*PAUSE_SECONDS))
        done = run.blows.get("worker", 0)
        due = [share for share in certain if done >= share * kills]
        run.strike(certain.pop(due[0]) if due else run.choose())
        if done >= told + 50:
            told = done
            say(
                f"{done} workers killed · {', '.join(f'{name} {number}' for name, number in sorted(run.blows.items()))}"
            )


def visit(run: Run, answers: dict[str, int]) -> None:
    """Look at the dashboard again and again, as a trader does, and count how it is answered."""
    from tests.chaos.visitor import Visitor

    visitor = Visitor(f"http://127.0.0.1:{run.port}")
    while not run.ending.wait(0.5):
        answer = visitor.look()
        answers[answer] = answers.get(answer, 0) + 1


def _settle() -> None:
    """Wait until every order has ended; one that rests at its limit because the price left it is cancelled by hand."""
    from tests.chaos import load, verdict

    started = time.monotonic()
    try:
        await_true(lambda: verdict.open_orders() == 0, "every order's end by itself", REST_SECONDS)
    except TimeoutError as late:
        say(f"{late}; what is left is cancelled by hand:")
        for line in verdict.resting():
            say(f"  {line}")
        try:
            await_true(load.load_cancelled, "every order's end", SETTLE_SECONDS)
        except TimeoutError as still:
            say(str(still))
    say(f"settled after {time.monotonic() - started:.0f} s")


def judge(run: Run, tenant: Any, people: Any, answers: dict[str, int], kills: int) -> list[str]:
    """Let the load end, then return every broken promise."""
    from django.db import connections

    from tests.chaos import load, verdict

    connections.close_all()  # its server may have been started anew
    people.stop()
    load.load_calm(tenant)
    _settle()
    found = verdict.violations(people.deposits)
    compared = run.manage("reconcile")
    lines = (compared.stdout or compared.stderr).strip().splitlines()
    say(f"manage.py reconcile: {lines[-1]}")
    if compared.returncode != 0:
        found += [f"reconcile: {line}" for line in lines]
    for name, number in verdict.counts().items():
        say(f"{number:>9,} {name}")
    say(f"people: {', '.join(f'{name} {number}' for name, number in sorted(people.done.items()))}")
    for reason, number in sorted(verdict.cancellations().items()):
        say(f"{number:>9,} cancelled: {reason}")
    if run.blows.get("worker", 0) < kills:
        found.append(f"only {run.blows.get('worker', 0)} of {kills} workers were killed in the time given")
    if verdict.counts()["fills"] < kills / 4:
        found.append("too little was traded for the blows to mean anything")
    before = answers.get("200", 0)
    try:
        await_true(lambda: answers.get("200", 0) > before, "a page served after it all")
    except TimeoutError as late:
        found.append(str(late))
    say(f"pages answered: {', '.join(f'{name} × {number}' for name, number in sorted(answers.items()))}")
    return found


def main() -> int:
    """Run it and return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="workers to kill")
    parser.add_argument("--seconds", type=float, default=900, help="at most so long, settling not counted")
    parser.add_argument("--seed", type=int, default=None, help="of the brokers' faults and the blows")
    parser.add_argument("--keep", type=Path, default=None, help="where the processes' output is kept after a failure")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    say(f"seed {seed}: {options.kills} workers to kill within {options.seconds:.0f} s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            run = Run(folder, seed)
        except MissingError as missing:
            say(str(missing))
            return 2
        found = ["the run did not end"]
        try:
            found = _go(run, seed, options)
        finally:
            run.stop()
            if found and options.keep is not None and run.log.exists():
                options.keep.write_text(run.log.read_text(errors="replace"))
    for line in found[:40]:
        say(f"BROKEN  {line}")
    say(f"blows: {', '.join(f'{name} {number}' for name, number in sorted(run.blows.items()))}")
    say(f"seed {seed}: {'every promise kept' if not found else f'{len(found)} broken'}")
    return 1 if found else 0


def _go(run: Run, seed: int, options: argparse.Namespace) -> list[str]:
    answers: dict[str, int] = {}
    prepared = run.manage("migrate", "--verbosity", "0")
    if prepared.returncode != 0:
        raise RuntimeError(prepared.stderr)
    os.environ.update(run.environment)
    import django

    django.setup()
    import volbal.celery  # noqa: F401  # what people do wakes workers by it
    from tests.chaos import load
    from tests.chaos.people import People
    from volbal.common.tenancy import tenant_scope

    tenant = load.load_create(seed)
    with tenant_scope(tenant.pk):
        people = People(tenant, seed, threading.Event())
    run.launch()
    threading.Thread(target=visit, args=(run, answers), daemon=True).start()
    await_true(lambda: all(worker.births for worker in run.workers), "workers", 60)
    people.start()
    batter(run, options.kills, time.monotonic() + options.seconds)
    return judge(run, tenant, people, answers, options.kills)


if __name__ == "__main__":
    sys.exit(main())
