"""A DuckDB database file as a source: opened read-only, no reach beyond the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from difflib import get_close_matches

import duckdb
import pyarrow as pa

from connector.errors import SourceError, first_line
from connector.source.base import ROWS_PER_BATCH, Origin, Portion, Relation, Window
from connector.source.settings import DuckDBSettings
from connector.sql import identifier, literal, table_parts

LOSSLESS: dict[str, str | bool | int | float | list[str]] = {"arrow_lossless_conversion": True}
"""HUGEINT, UUID and their like keep their type on the way through Arrow."""

_ENUM = re.compile(r"\bENUM\('(?:[^']|'')*'(?:, '(?:[^']|'')*')*\)")


class DuckDBSource:
    """Reads tables, views and queries of one DuckDB file."""

    def __init__(self, settings: DuckDBSettings) -> None:
        self.name = settings.name
        self.timezone = settings.timezone
        if not settings.path.is_file():
            raise SourceError(
                f"source {settings.name!r}: no database file at {settings.path}",
                hint="check `path`; it is relative to the folder that holds `mappings/`",
            )
        self._path = settings.path
        self._connection = _connect(settings)
        self._reading = self._connection

    def schema(self, relation: Relation) -> pa.Schema:
        """The columns `read` would yield, without reading rows."""
        with duckdb_errors(self.name, relation, self._tables):
            return (
                select(self._connection, relation, self.timezone).limit(0).to_arrow_table().schema
            )

    @contextmanager
    def read(self, relation: Relation) -> Iterator[pa.RecordBatchReader]:
        """Stream the rows as Arrow batches."""
        cursor = self._connection.cursor()
        cursor.execute("USE source")
        self._reading = cursor
        try:
            with duckdb_errors(self.name, relation, self._tables):
                reader = select(cursor, relation, self.timezone).to_arrow_reader(ROWS_PER_BATCH)
            yield reader
        finally:
            self._reading = self._connection
            cursor.close()

    def origin(self, relation: Relation) -> Origin | None:
        """The file itself, for a whole table: views, queries and filters are read."""
        if relation.table is None or relation.where or relation.window is not None:
            return None
        try:
            parts = table_parts(relation.table)
        except ValueError:
            return None
        # Where a column is called rowid, the rows have no number of their own to be told by.
        known = self._connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() AS t "
            "WHERE database_name = 'source' "
            "AND lower(table_name) = lower(?) AND lower(schema_name) = lower(?) "
            "AND NOT EXISTS (SELECT 1 FROM duckdb_columns() AS c WHERE c.table_oid = t.table_oid "
            "AND c.database_oid = t.database_oid AND lower(column_name) = 'rowid')",
            [parts[-1], parts[-2] if len(parts) > 1 else "main"],
        ).fetchall()
        return Origin(self._path, known[0]) if len(known) == 1 else None

    def interrupt(self) -> None:
        """Give up what is being read."""
        self._connection.interrupt()
        self._reading.interrupt()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _tables(self) -> list[str]:
        rows = self._connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables "
            "WHERE table_catalog = 'source'"
        ).fetchall()
        return [name.removeprefix("main.") for (name,) in rows]


def _connect(settings: DuckDBSettings) -> duckdb.DuckDBPyConnection:
    # A database of its own with the file attached: two that connect to one file within a process
    # would share their settings, locked ones included.
    connection = duckdb.connect(config=LOSSLESS)
    try:
        connection.execute(f"ATTACH {literal(str(settings.path))} AS source (READ_ONLY)")
    except duckdb.IOException as error:
        held = "lock" in str(error)
        raise SourceError(
            f"source {settings.name!r}: {first_line(error)}",
            hint="another program has it open for writing; close that one" if held else None,
            transient=held,
        ) from error
    except duckdb.Error as error:
        raise SourceError(f"source {settings.name!r}: {first_line(error)}") from error
    connection.execute("USE source")
    confine(connection)
    return connection


def confine(connection: duckdb.DuckDBPyConnection) -> None:
    """Lock a connection in: no other file, no network, no change of settings."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def select(
    connection: duckdb.DuckDBPyConnection, relation: Relation, timezone: str
) -> duckdb.DuckDBPyRelation:
    """The rows of the table or query of `relation` as a DuckDB relation of `connection`."""
    return narrow(connection, rows_of(connection, _from(relation)), relation, timezone)


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.DuckDBPyRelation:
    """The rows of one SELECT.

    Raises:
        SourceError: it is another statement, or several.
    """
    statements = [statement.type for statement in duckdb.extract_statements(sql)]
    if statements != [duckdb.StatementType.SELECT]:
        raise SourceError("`query` is not one SELECT", hint="a source is only read")
    return connection.sql(sql)


def narrow(
    connection: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    relation: Relation,
    timezone: str,
) -> duckdb.DuckDBPyRelation:
    """`rows` with the filter, the window and the columns of `relation` pushed into it."""
    if relation.where:
        rows = rows.filter(f"({relation.where}\n)")
    if relation.window is not None:
        rows = _within(rows, relation.window, timezone)
    if relation.portion is not None:
        rows = rows.filter(_portion(relation.portion))
    types = dict(zip(rows.columns, map(str, rows.types), strict=True))
    wanted = rows.columns if relation.columns is None else relation.columns
    return rows.project(", ".join(_readable(name, types.get(name, "")) for name in wanted))


def _portion(portion: Portion) -> str:
    key = f"{identifier(portion.column)}::VARCHAR"
    unusable = f"{key} IN ('.', '..') OR regexp_matches({key}, '\\p{{Cc}}')"
    return f"{portion.shard.condition(key)} OR {key} IS NULL OR {unusable}"


def _readable(name: str, type_: str) -> str:
    """A column as it travels: DuckDB cannot read back a list of enums that has no item."""
    column = identifier(name)
    plain = _ENUM.sub("VARCHAR", type_)
    return column if plain == type_ else f"CAST({column} AS {plain}) AS {column}"


def _from(relation: Relation) -> str:
    if relation.table is None:
        return (relation.query or "").strip().rstrip(";")
    try:
        return "FROM " + ".".join(identifier(part) for part in table_parts(relation.table))
    except ValueError:
        raise SourceError(f"{relation.table!r} is no table name") from None


def _within(
    rows: duckdb.DuckDBPyRelation, window: Window, timezone: str
) -> duckdb.DuckDBPyRelation:
    types = zip(map(str.lower, rows.columns), map(str, rows.types), strict=True)
    kind = dict(types).get(window.column.lower(), "")
    if not kind.startswith(("TIMESTAMP", "DATE")):
        raise SourceError(
            f"cursor column {window.column!r} is {kind or 'not there'}",
            hint="a cursor is a column of dates or timestamps; cast it in a `query`",
        )
    column = duckdb.ColumnExpression(window.column)
    zoned = "TIME ZONE" in kind or kind.startswith("TIMESTAMPTZ")
    inside = duckdb.ConstantExpression(value=True)
    if window.start is not None:
        inside &= column >= _instant(window.start, timezone, zoned=zoned)
    if window.end is not None:
        inside &= column < _instant(window.end, timezone, zoned=zoned)
    return rows.filter(inside | column.isnull() if window.or_null else inside)


def _instant(value: datetime, timezone: str, *, zoned: bool) -> duckdb.Expression:
    """A naive UTC time as what it is compared with: an instant, or local time of the source."""
    utc, constant = duckdb.ConstantExpression("UTC"), duckdb.ConstantExpression(value)
    instant = duckdb.FunctionExpression("timezone", utc, constant)
    if zoned:
        return instant
    return duckdb.FunctionExpression("timezone", duckdb.ConstantExpression(timezone), instant)


@contextmanager
def duckdb_errors(
    source: str, relation: Relation, tables: Callable[[], list[str]] | None = None
) -> Iterator[None]:
    """Turn what DuckDB says about a read into one clear line."""
    try:
        yield
    except duckdb.CatalogException as error:
        known = tables() if tables else []
        close = get_close_matches(str(relation), known, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else None
        raise SourceError(f"source {source!r}: {first_line(error)}", hint=hint) from error
    except duckdb.Error as error:
        raise SourceError(
            f"source {source!r}: {relation} cannot be read: {first_line(error)}"
        ) from error
