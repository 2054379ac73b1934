"""Make the project's environment hold exactly what a lock names. Needs only Python 3.11+ and its standard library.

    python3 requirements/install.py base            what serving needs
    python3 requirements/install.py development      what testing and changing the project needs, base included
    python3 requirements/install.py interactive-brokers   what accounts at Interactive Brokers need, beside the rest

The lock last installed is kept inside the environment; while it equals the one here, nothing is done.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
HERE = Path(__file__).resolve().parent
# What each set brings with it, so that a finished development environment serves without another install.
CONTAINS = {
    "base": ("base",),
    "production": ("production", "base"),
    "development": ("development", "production", "base", "interactive-brokers"),
    "interactive-brokers": ("interactive-brokers",),
    "yahoo": ("yahoo",),
}


def require_version() -> None:
    """Stop with a sentence when this Python is too old."""
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.exit(
            f"volbal needs Python 3.11 or newer, but {sys.executable} is {found}.\n"
            "Install a newer one (on Debian: apt-get install python3 python3-venv) "
            "and name it if it is not python3: make run PYTHON=/path/to/python3.11"
        )


def interpreter(environment: Path) -> Path:
    """Return the environment's own Python."""
    return environment / "bin" / "python"


def works(environment: Path) -> bool:
    """Tell whether the environment can run pip; a half-made or moved one cannot."""
    if not interpreter(environment).exists():
        return False
    return subprocess.run([interpreter(environment), "-m", "pip", "--version"], capture_output=True).returncode == 0


def create(environment: Path) -> None:
    """Make the environment anew with this Python."""
    print(f"Creating {environment} with Python {sys.version.split()[0]} …", flush=True)
    if environment.is_dir():
        shutil.rmtree(environment)
    made = subprocess.run([sys.executable, "-m", "venv", environment], capture_output=True, text=True)
    if made.returncode != 0:
        sys.exit(
            f"{made.stdout}{made.stderr}\nThe environment could not be created. On Debian and Ubuntu its tools come "
            "apart from Python: apt-get install python3-venv, then try again."
        )


def kept_lock(environment: Path, name: str) -> Path:
    """Return where the environment keeps the lock it was last filled from."""
    return environment / f"installed-{name}.txt"


def is_current(environment: Path, name: str) -> bool:
    """Tell whether the environment was filled from the lock as it is now."""
    kept = kept_lock(environment, name)
    return kept.exists() and kept.read_bytes() == (HERE / f"{name}.txt").read_bytes()


def install(environment: Path, name: str) -> None:
    """Fill the environment from one lock, refusing any file whose hash it does not name."""
    print(f"Installing what requirements/{name}.txt names (the first time takes a minute or two) …", flush=True)
    command = [interpreter(environment), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # A lock names all that is needed, and overrules what some packages ask for (overrides.txt).
    done = subprocess.run([*command, "--no-deps", "--require-hashes", "-r", HERE / f"{name}.txt"])
    if done.returncode != 0:
        sys.exit("The packages could not be installed; see above. Nothing else was changed: try again.")
    for part in CONTAINS[name]:
        shutil.copyfile(HERE / f"{part}.txt", kept_lock(environment, part))


def main() -> None:
    """Create and fill the environment where needed."""
    require_version()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=sorted(CONTAINS))
    parser.add_argument("--environment", type=Path, default=HERE.parent / ".venv")
    options = parser.parse_args()
    if is_current(options.environment, options.name) and interpreter(options.environment).exists():
        return
    if not works(options.environment):
        create(options.environment)
    install(options.environment, options.name)


if __name__ == "__main__":
    main()
