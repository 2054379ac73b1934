"""The processes of an installation under chaos: started, killed, and started again as systemd would."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(slots=True)
class Reborn:
    """A worker of one queue that comes back whenever it is killed."""

    queue: str
    process: subprocess.Popen[str]
    child: int = 0
    births: int = 0
    _listener: threading.Thread | None = field(default=None, repr=False)

    @classmethod
    def start(cls, queue: str, environment: dict[str, str], log: Path) -> "Reborn":
        """Start it; its first child takes messages a few seconds later."""
        output = log.open("a")
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.worker", queue],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, text=True,
            start_new_session=True,
        )  # fmt: skip
        one = cls(queue, process)
        one._listener = threading.Thread(target=one._listen, daemon=True)
        one._listener.start()
        return one

    def kill(self) -> bool:
        """Kill the present child in the middle of what it does; False where there is none."""
        child = self.child
        if not child:
            return False
        self.child = 0
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def stop(self) -> None:
        """End it and its child."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.child = int(line)
            self.births += 1


@dataclass(slots=True)
class Restarted:
    """A process that is started again when it is found gone."""

    name: str
    words: list[str]
    environment: dict[str, str]
    log: Path
    starts: int = 0
    process: subprocess.Popen[bytes] | None = None

    def ensure(self) -> None:
        """Start it where it does not run."""
        if self.process is not None and self.process.poll() is None:
            return
        with self.log.open("a") as output:
            self.process = subprocess.Popen(
                self.words, cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        self.starts += 1

    def kill(self) -> bool:
        """Kill it with all its children; False where it does not run."""
        if self.process is None or self.process.poll() is not None:
            return False
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return True
