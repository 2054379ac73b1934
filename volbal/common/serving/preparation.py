"""What must be so before serving: nobody else serves the same data, its tables are current, and it is not empty."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.migrations.executor import MigrationExecutor

from volbal.common.errors import Refused

DATABASE_SUFFIXES = ("", "-wal", "-shm", "-journal")


@contextmanager
def data_held(data_dir: Path) -> Iterator[None]:
    """Hold the data for this process alone; two schedulers on one database would do everything twice.

    Raises Refused, naming the other process, when it is held already. The system lets go when a process dies.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "serving.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise Refused(
                f"volbal already serves the data in {data_dir} (process {file.read().strip() or 'unknown'}).",
                code="already_serving",
                hint="Use that one, stop it with Ctrl-C, or serve other data: VOLBAL_DATA_DIR=/elsewhere make run",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def data_reset(data_dir: Path) -> None:
    """Remove the database and the files of this installation; its secret key stays.

    Raises Refused when the database is not a file inside `data_dir`: a server's data is never removed from here.
    """
    name = str(settings.DATABASES["default"]["NAME"])
    database = Path(name).resolve()
    if connection.vendor != "sqlite" or data_dir.resolve() not in database.parents:
        raise Refused(
            f"RESET=1 only removes what volbal keeps in {data_dir}; the database is {name}.",
            code="not_resettable",
            hint="Unset DATABASE_URL, or empty that database with its own tools.",
        )
    connections.close_all()
    for suffix in DATABASE_SUFFIXES:
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    files = Path(settings.MEDIA_ROOT).resolve()
    if data_dir.resolve() in files.parents:
        shutil.rmtree(files, ignore_errors=True)


def tables_are_current() -> bool:
    """Tell whether every migration has been applied."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def tables_prepare() -> None:
    """Apply what is missing; the schedules are written with it."""
    if not tables_are_current():
        call_command("migrate", interactive=False, verbosity=0)


def is_empty() -> bool:
    """Tell whether nobody can sign in yet."""
    return not get_user_model().objects.exists()
