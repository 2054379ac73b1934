"""A lookup for many ids at once: `pk__among=ids`, `instrument__among=ids`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, ForeignKey, Lookup
from django.db.models.sql.compiler import SQLCompiler


class Among(Lookup):
    """As `in`, for whole numbers: one array on PostgreSQL, where `in` costs a parameter for each and time to match.

    On SQLite the numbers stand in the statement itself, which has no limit for them as parameters have.
    """

    lookup_name = "among"

    def get_prep_lookup(self) -> list[int]:
        """Return the ids as whole numbers; what is none raises."""
        ids: Iterable[Any] = self.rhs
        return [int(one) for one in ids]

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        """Return the condition with the numbers written out."""
        left, parameters = self.process_lhs(compiler, connection)
        return f"{left} IN ({', '.join(map(str, self.rhs))})", parameters

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        """Return the condition with the numbers as one array."""
        left, parameters = self.process_lhs(compiler, connection)
        array = "{" + ",".join(map(str, self.rhs)) + "}"
        return f"{left} = ANY(%s::bigint[])", [*parameters, array]


def register_lookups() -> None:
    """Let every column of whole numbers and every relation be asked with `among`."""
    Field.register_lookup(Among)
    ForeignKey.register_lookup(Among)
