"""Compile the core with Numba, cached under a key that changes with any source of this package."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import config

Function = TypeVar("Function", bound=Callable[..., Any])


def source_hash(folder: Path) -> str:
    """Return a short hash of every Python source in a folder, names included.

    Numba notices a change of the file it compiled, not of what that file calls: the key of the cache
    must therefore cover the whole package.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def candidate_folders() -> list[Path]:
    """Return the folders that may hold the cache: the environment's, the user's, a temporary one."""
    asked = os.environ.get("NUMBA_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME")
    return [
        *([Path(asked)] if asked is not None and asked != "" else []),
        (Path(user) if user is not None and user != "" else Path("~/.cache").expanduser()) / "volbal",
        Path(tempfile.gettempdir()) / f"volbal-{os.getuid() if hasattr(os, 'getuid') else 'user'}",
    ]


def first_writable(folders: list[Path]) -> Path | None:
    """Create and return the first folder that can be written, or None where none can."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return None


@cache
def cache_folder() -> Path | None:
    """Return the folder of this version's compiled code, or None where nothing can be written."""
    key = f"strategy-{source_hash(Path(__file__).parent)}"
    return first_writable([folder / key for folder in candidate_folders()])


def compiled(function: Function) -> Function:
    """Compile a function on its first call, without the interpreter lock and without fast-math.

    Compiled code may not create arrays: it keeps no reference counts, whose atomic updates cost more than the
    rule itself and make threads wait for each other. It is kept in `cache_folder()`; where that is
    None it is compiled anew in each process.
    """
    return _compile(function, "never")


def inlined(function: Function) -> Function:
    """Compile a function into its caller: for steps with one caller, which spares handing on many columns."""
    return _compile(function, "always")


def _compile(function: Function, inline: str) -> Function:
    folder = cache_folder()
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "inline": inline, "_nrt": False}
    numba_config: Any = config
    before = numba_config.CACHE_DIR
    numba_config.CACHE_DIR = before if folder is None else str(folder)
    try:
        return cast(Function, numba.njit(cache=folder is not None, **options)(function))
    finally:
        numba_config.CACHE_DIR = before
