"""Tell, without a network, whether each lock still answers what is asked for beside it.

A lock is out of date when it lacks a requirement, pins a version that the requirement excludes, holds a package that
nobody asks for any more, carries a pin without a hash, names where packages come from, or disagrees with another lock.
"""

import re
import sys
from itertools import pairwise
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HERE = Path(__file__).resolve().parent
LOCKS = ("base", "production", "development")
# Locks for what only some installations want, beside the production lock.
OPTIONAL = ("interactive-brokers", "yahoo")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^ ;\\]+)(?: *; *(?P<marker>[^\\]+))?")
ASKED_BY = re.compile(r"^ +# (?:via )? *-r (?:requirements/)?(?P<name>[\w-]+)\.in$")


def asked(name: str) -> dict[str, tuple[Requirement, str]]:
    """Return what `<name>.in` and the files it includes ask for, with the file that asks."""
    found: dict[str, tuple[Requirement, str]] = {}
    for line in (HERE / f"{name}.in").read_text().splitlines():
        text = line.split("#")[0].strip()
        if text.startswith("-r "):
            found |= asked(text.removeprefix("-r ").removesuffix(".in"))
        elif text:
            requirement = Requirement(text)
            found[canonicalize_name(requirement.name)] = (requirement, name)
    return found


class Lock:
    """The pins of one lock, and which of them a `.in` file asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pins: dict[str, set[tuple[Version, str]]] = {}
        self.direct: set[str] = set()
        self.faults: list[str] = []
        current, hashes = "", 1
        for line in (HERE / f"{name}.txt").read_text().splitlines():
            if pin := PIN.match(line):
                self._count(current, hashes)
                current, hashes = canonicalize_name(pin["name"]), 0
                marker = str(Marker(pin["marker"].strip())) if pin["marker"] else ""
                self.pins.setdefault(current, set()).add((Version(pin["version"]), marker))
            elif ASKED_BY.match(line):
                self.direct.add(current)
            elif line.lstrip().startswith("--hash=sha256:"):
                hashes += 1
            elif line.startswith("--") or "://" in line:
                self.faults.append(f"{name}.txt names where packages come from: {line.strip()}")
        self._count(current, hashes)

    def _count(self, package: str, hashes: int) -> None:
        if hashes == 0:
            self.faults.append(f"{self.name}.txt pins {package} without a hash")


def differences(lock: Lock) -> list[str]:
    """Return what sets a lock apart from what is asked for."""
    wanted = asked(lock.name)
    faults = list(lock.faults)
    for package, (requirement, file) in wanted.items():
        if package not in lock.pins:
            faults.append(f"{lock.name}.txt lacks {requirement}, which {file}.in asks for")
            continue
        for version, _ in sorted(lock.pins[package]):
            if not requirement.specifier.contains(version, prereleases=True):
                faults.append(f"{lock.name}.txt pins {package} {version}, but {file}.in asks for {requirement}")
    faults += [f"{lock.name}.txt holds {name}, which nothing asks for" for name in sorted(lock.direct - set(wanted))]
    return faults


def disagreements(smaller: Lock, larger: Lock) -> list[str]:
    """Return the packages that two locks, one holding the other, pin differently."""
    return [
        f"{smaller.name}.txt and {larger.name}.txt pin {name} differently"
        for name in smaller.pins
        if smaller.pins[name] != larger.pins.get(name)
    ]


def quarrels(lock: Lock, optional: Lock) -> list[str]:
    """Return the packages that an optional lock pins otherwise than the lock it is installed beside."""
    return [
        f"{lock.name}.txt and {optional.name}.txt pin {name} differently"
        for name in optional.pins
        if name in lock.pins and {one for one, _ in lock.pins[name]} != {one for one, _ in optional.pins[name]}
    ]


def main() -> None:
    """Print every fault and end with 1 when there is one."""
    locks = [Lock(name) for name in LOCKS]
    faults = [fault for lock in locks for fault in differences(lock)]
    for smaller, larger in pairwise(locks):
        faults += disagreements(smaller, larger)
    production = Lock("production")
    for optional in (Lock(name) for name in OPTIONAL):
        faults += differences(optional) + quarrels(production, optional)
    if faults:
        sys.exit("\n".join([*faults, "The locks are out of date: run make lock."]))


if __name__ == "__main__":
    main()
