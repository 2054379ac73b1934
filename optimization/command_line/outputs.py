"""Files written whole or not at all: beside their place first, then moved there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from optimization.command_line.values import InputRefused


def write_whole(name: str, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file that takes the place of `name` once it is whole. Raises InputRefused where it cannot."""
    target = Path(name)
    try:
        handle, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix)
    except OSError as error:
        raise InputRefused(f"{name} cannot be written ({error.strerror}); nothing was written.") from None
    os.close(handle)
    path = Path(beside)
    try:
        write(path)
        path.chmod(0o666 & ~_umask())
        path.replace(target)
    except OSError as error:
        raise InputRefused(f"{name} cannot be written ({error.strerror}); nothing was written.") from None
    finally:
        path.unlink(missing_ok=True)


def _umask() -> int:
    """Return the mask that a plainly opened file would have got; a temporary file is private otherwise."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
