"""What deploy/systemd starts, read from the units themselves."""

import re
import socket
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
UNITS = ROOT / "deploy" / "systemd"


def command(unit: str, instance: str = "") -> list[str]:
    """Return what a unit executes, with its environment's programs taken by name, filled in for one instance."""
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read([UNITS / unit, *sorted((UNITS / f"{unit.replace('@', f'@{instance}')}.d").glob("*.conf"))])
    words = parser["Service"]["ExecStart"].replace("/srv/volbal/.venv/bin/", "")
    name, _, value = parser["Service"].get("Environment", "").partition("=")
    filled = words.replace("%i", instance).replace("%H", socket.gethostname())
    return (filled.replace(f"${{{name}}}", value) if name else filled).split()


def served_queues() -> set[str]:
    """Return the queues for which the target starts a worker."""
    return set(re.findall(r"volbal-worker@(\w+)\.service", (UNITS / "volbal.target").read_text()))
