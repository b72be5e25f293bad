"""Writing to Snowflake: rows are bound in arrays into a temporary table, then take their place."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from connector.errors import SourceError
from connector.source.base import Relation
from connector.source.extras import not_installed
from connector.source.settings import SnowflakeSettings
from connector.source.snowflake import connection_options, table_or_query
from connector.source.write import Layout, Type, missing_columns

_TYPES = {
    Type.TEXT: "VARCHAR",
    Type.JSON: "VARIANT",
    Type.INTEGER: "INTEGER",
    Type.NUMBER: "FLOAT",
    Type.TIME: "TIMESTAMP_TZ",
}
_AS_BOUND = _TYPES | {Type.JSON: "VARCHAR"}
_INCOMING = "CONNECTOR_INCOMING"


def write_snowflake(
    settings: SnowflakeSettings, table: str, rows: pa.RecordBatchReader, layout: Layout
) -> int:
    """Put rows into a table, in place of those with the same key, in one transaction; returns
    how many.

    Raises:
        SourceError: it cannot be written; then it is as it was.
    """
    try:
        from snowflake import connector
    except ImportError:
        raise not_installed(settings.name, "snowflake") from None
    name = table_or_query(Relation(table=table))
    try:
        with (
            connector.connect(**connection_options(settings)) as connection,
            connection.cursor() as cursor,
        ):
            return _replace(cursor, settings.name, table, name, rows, layout)
    except connector.Error as error:
        said = " ".join(str(getattr(error, "raw_msg", None) or error).split())
        raise SourceError(
            f"source {settings.name!r}: {table} cannot be written: {said}",
            hint="may the role of the source create the table, and delete and insert rows in it?",
        ) from None


def _replace(
    cursor: Any,
    source: str,
    table: str,
    name: str,
    rows: pa.RecordBatchReader,
    layout: Layout,
) -> int:
    # DDL commits: it comes before the transaction. Names are in upper case, where SQL has them.
    cursor.execute(f"CREATE TABLE IF NOT EXISTS {name} ({_declared(layout, _TYPES)})")
    known = cursor.describe(f"SELECT * FROM {name}")  # noqa: S608 - quoted
    missing_columns(source, table, layout, [column.name for column in known])
    cursor.execute(
        f"CREATE OR REPLACE TEMPORARY TABLE {_INCOMING} ({_declared(layout, _AS_BOUND)})"
    )
    count = 0
    marks = ", ".join("?" for _ in layout.columns)
    for batch in rows:
        values = list(zip(*(_bound(column) for column in batch.columns), strict=True))
        if values:
            cursor.executemany(f"INSERT INTO {_INCOMING} VALUES ({marks})", values)  # noqa: S608 - ours
            count += len(values)
    chosen = ", ".join(
        f"PARSE_JSON({each})" if type_ is Type.JSON else each for each, type_ in layout.columns
    )
    cursor.execute("BEGIN")
    cursor.execute(
        f"DELETE FROM {name} WHERE {layout.key} IN (SELECT {layout.key} FROM {_INCOMING})"  # noqa: S608 - quoted
    )
    cursor.execute(
        f"INSERT INTO {name} ({', '.join(layout.names)}) SELECT {chosen} FROM {_INCOMING}"  # noqa: S608 - quoted
    )
    cursor.execute("COMMIT")
    cursor.execute(f"DROP TABLE {_INCOMING}")
    return count


def _declared(layout: Layout, types: dict[Type, str]) -> str:
    return ", ".join(f"{name} {types[type_]}" for name, type_ in layout.columns)


def _bound(column: pa.Array) -> list[Any]:
    """Times as text with their zone: bound as themselves they would lose it."""
    if pa.types.is_timestamp(column.type):
        return [value and value.isoformat(sep=" ") for value in column.to_pylist()]
    values: list[Any] = column.to_pylist()
    return values
