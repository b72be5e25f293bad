"""Writing to whatever SQLAlchemy speaks: PostgreSQL by COPY, all else by its driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from connector.errors import SourceError
from connector.source.extras import not_installed
from connector.source.postgres import conninfo
from connector.source.settings import SQLAlchemySettings
from connector.source.write import Layout, Type, missing_columns
from connector.sql import identifier, literal, table_parts

_POSTGRES = {
    Type.TEXT: "text",
    Type.JSON: "jsonb",
    Type.INTEGER: "integer",
    Type.NUMBER: "double precision",
    Type.TIME: "timestamptz",
}
_ANY: dict[Type, sa.types.TypeEngine[Any]] = {
    Type.TEXT: sa.String(1024),
    Type.JSON: sa.Text(),
    Type.INTEGER: sa.Integer(),
    Type.NUMBER: sa.Float(53),
    Type.TIME: sa.DateTime(),
}
"""JSON as text, which every database has."""

_KEYS_AT_ONCE = 500
_INCOMING = "connector_incoming"


def write_url(
    settings: SQLAlchemySettings, table: str, rows: pa.RecordBatchReader, layout: Layout
) -> int:
    """Put rows into a table, in place of those with the same key, in one transaction; returns
    how many.

    Raises:
        SourceError: it cannot be written; then it is as it was.
    """
    try:
        url = make_url(settings.url.get_secret_value())
        parts = table_parts(table)
    except exc.ArgumentError:
        raise SourceError(f"source {settings.name!r}: `url` is no database URL") from None
    except ValueError:
        raise SourceError(f"{table!r} is no table name") from None
    if url.get_backend_name() == "postgresql":
        return _write_postgres(settings, url, table, parts, rows, layout)
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str(settings.folder / url.database))
    with _errors(settings, url, table):
        engine = sa.create_engine(url, poolclass=NullPool, hide_parameters=True)
        with engine.begin() as connection:
            return _replace(settings, connection, table, parts, rows, layout)


@contextmanager
def _errors(settings: SQLAlchemySettings, url: URL, table: str) -> Iterator[None]:
    """Turn what a driver says into one clear line, without the password."""
    expected: tuple[type[Exception], ...] = (exc.SQLAlchemyError, ImportError)
    try:
        yield
    except (*expected, *_driver_errors(url)) as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        said = said.replace(url.password, "***") if url.password else said
        raise SourceError(
            f"source {settings.name!r}: {table} cannot be written: {said}",
            hint="may the user of `url` create the table, and delete and insert rows in it?",
        ) from None


def _driver_errors(url: URL) -> tuple[type[Exception], ...]:
    if url.get_backend_name() != "postgresql":
        return ()
    from adbc_driver_manager.dbapi import Error

    return (Error,)


def _replace(
    settings: SQLAlchemySettings,
    connection: sa.Connection,
    table: str,
    parts: tuple[str, ...],
    rows: pa.RecordBatchReader,
    layout: Layout,
) -> int:
    schema = parts[-2] if len(parts) > 1 else settings.schema
    columns = [sa.Column(name, _ANY[type_]) for name, type_ in layout.columns]
    target = sa.Table(parts[-1], sa.MetaData(), *columns, schema=schema)
    target.create(connection, checkfirst=True)
    known = sa.inspect(connection).get_columns(parts[-1], schema=schema)
    missing_columns(settings.name, table, layout, [column["name"] for column in known])
    key = target.c[layout.key]
    seen: set[str] = set()
    count = 0
    for batch in rows:
        keys = {str(value) for value in batch.column(layout.key).unique().to_pylist()} - seen
        seen |= keys
        ordered = sorted(keys)
        for start in range(0, len(ordered), _KEYS_AT_ONCE):
            among = key.in_(ordered[start : start + _KEYS_AT_ONCE])
            connection.execute(sa.delete(target).where(among))
        connection.execute(sa.insert(target), [_naive(row) for row in batch.to_pylist()])
        count += batch.num_rows
    return count


def _naive(row: dict[str, Any]) -> dict[str, Any]:
    """Times without a zone, in UTC: not every database keeps one."""
    return {
        name: value.astimezone(UTC).replace(tzinfo=None) if hasattr(value, "astimezone") else value
        for name, value in row.items()
    }


def _write_postgres(
    settings: SQLAlchemySettings,
    url: URL,
    table: str,
    parts: tuple[str, ...],
    rows: pa.RecordBatchReader,
    layout: Layout,
) -> int:
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError:
        raise not_installed(settings.name, "postgres") from None
    with (
        _errors(settings, url, table),
        dbapi.connect(conninfo(url)) as connection,
        connection.cursor() as cursor,
    ):
        if settings.schema is not None:
            cursor.execute(f"SET LOCAL search_path = {identifier(settings.schema)}")
        name = _found(cursor, parts)
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {name} ({layout.declared(_POSTGRES)})")
        count: int = cursor.adbc_ingest(_INCOMING, rows, mode="create", temporary=True)
        types = _types(cursor, name)
        missing_columns(settings.name, table, layout, list(types))
        key = identifier(layout.key)
        incoming = f"pg_temp.{_INCOMING}"
        cursor.execute(f"DELETE FROM {name} WHERE {key} IN (SELECT {key} FROM {incoming})")  # noqa: S608 - quoted
        values = ", ".join(f"{identifier(each)}::{types[each]}" for each in layout.names)
        cursor.execute(f"INSERT INTO {name} ({layout.quoted()}) SELECT {values} FROM {incoming}")  # noqa: S608 - quoted
        cursor.execute(f"DROP TABLE {incoming}")
        connection.commit()
        return count


def _found(cursor: Any, parts: tuple[str, ...]) -> str:
    """The table by its exact name or, where there is none, in lower case as SQL has it."""
    exact = ".".join(map(identifier, parts[-2:]))
    cursor.execute(f"SELECT to_regclass({literal(exact)}) IS NOT NULL")
    if cursor.fetchone()[0]:
        return exact
    return ".".join(identifier(part.lower()) for part in parts[-2:])


def _types(cursor: Any, name: str) -> dict[str, str]:
    cursor.execute(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "  # noqa: S608 - quoted
        f"WHERE attrelid = {literal(name)}::regclass AND attnum > 0 AND NOT attisdropped"
    )
    return dict(cursor.fetchall())
