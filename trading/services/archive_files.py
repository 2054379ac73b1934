"""Evaluations as Parquet, exact: decimals as decimals, moments to the microsecond."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from django.db import models

from trading.models import Evaluation

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of a cell stand together, so that a page of it reads few of these.
ROWS_IN_A_GROUP = 4_000
COLUMNS = tuple(field.attname for field in Evaluation._meta.concrete_fields)


def rows_as_parquet(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Return rows in the order of COLUMNS as a Parquet file, sorted by cell and id."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = zip(*rows, strict=True)
    table = pa.table(
        {name: pa.array(values, type=kind) for (name, kind), values in zip(_types().items(), columns, strict=True)}
    ).sort_by([("cell_id", "ascending"), ("id", "ascending")])
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=ROWS_IN_A_GROUP)
    return buffer.getvalue()


def parquet_ids(file: IO[bytes]) -> list[int]:
    """Return the ids that a file holds."""
    import pyarrow.parquet as pq

    ids: list[int] = pq.read_table(file, columns=["id"])["id"].to_pylist()
    return ids


def parquet_rows(
    file: IO[bytes], *, cell_id: int, columns: Iterable[str], before: int | None = None
) -> Iterator[dict[str, Any]]:
    """Yield a cell's rows of a file by rising id, those below `before` where it is given.

    A column that the file is too old to know is its field's default.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = pc.field("cell_id") == cell_id
    if before is not None:
        wanted = wanted & (pc.field("id") < before)
    known = set(pq.read_schema(file).names)
    names = list(dict.fromkeys(["id", *columns]))
    missing = {name: _default(name) for name in names if name not in known}
    file.seek(0)
    table = pq.read_table(file, columns=[name for name in names if name in known], filters=wanted)
    for row in table.to_pylist():
        yield missing | row


def _default(name: str) -> Any:
    field: Any = Evaluation._meta.get_field(name)
    return field.get_default()


def _types() -> dict[str, pa.DataType]:
    return {field.attname: _type_of(field) for field in Evaluation._meta.concrete_fields}


def _type_of(field: Any) -> pa.DataType:
    import pyarrow as pa

    if isinstance(field, models.DecimalField):
        return pa.decimal128(field.max_digits, field.decimal_places)
    if isinstance(field, models.DateTimeField):
        return pa.timestamp("us", tz="UTC")
    for kind, arrow in (
        (models.BooleanField, pa.bool_()),
        (models.FloatField, pa.float64()),
        ((models.CharField, models.TextField), pa.string()),
        ((models.IntegerField, models.ForeignKey), pa.int64()),
    ):
        if isinstance(field, kind):
            return arrow
    raise TypeError(f"{field} has no column in an archive: say in _type_of how it is kept.")
