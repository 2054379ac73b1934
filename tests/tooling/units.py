"""What deploy/systemd starts, read from the units themselves."""

import re
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
UNITS = ROOT / "deploy" / "systemd"


def command(unit: str) -> list[str]:
    """Return what a unit executes, with its environment's programs taken by name."""
    parser = ConfigParser(interpolation=None, strict=False)
    parser.read(UNITS / unit)
    return parser["Service"]["ExecStart"].replace("/srv/volbal/.venv/bin/", "").split()


def served_queues() -> set[str]:
    """Return the queues for which the target starts a worker."""
    return set(re.findall(r"volbal-worker@(\w+)\.service", (UNITS / "volbal.target").read_text()))
