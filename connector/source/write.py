"""Writing rows into a warehouse or a file: what a recommendations mapping brings home.

Every way of writing does the same in one transaction: rows whose key is among the new ones go, the
new ones come. Writing the same rows again therefore changes nothing. A table that is not there is
made; one that is may have further columns, and other types, of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import duckdb
import pyarrow as pa

from connector.errors import SourceError, first_line
from connector.source.duckdb import LOSSLESS
from connector.source.settings import (
    DuckDBSettings,
    FilesSettings,
    SnowflakeSettings,
    SourceSettings,
)
from connector.sql import identifier, literal, table_parts


class Type(StrEnum):
    """What a column holds; each warehouse has its own name for it."""

    TEXT = "text"
    JSON = "json"
    INTEGER = "integer"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of what is written, in order, and the one that rows are replaced by.

    Rows come as Arrow: text and JSON as strings, times as microseconds in UTC.
    """

    columns: tuple[tuple[str, Type], ...]
    key: str

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [name for name, _ in self.columns]

    def quoted(self) -> str:
        """Their names for a list in SQL."""
        return ", ".join(map(identifier, self.names))

    def declared(self, types: dict[Type, str]) -> str:
        """Their declarations, in the types of a warehouse."""
        return ", ".join(f"{identifier(name)} {types[type_]}" for name, type_ in self.columns)


def check_writable(settings: SourceSettings) -> None:
    """Refuse a source that has no tables to write to.

    Raises:
        SourceError: it consists of files.
    """
    if isinstance(settings, FilesSettings):
        raise _no_tables(settings)


def _no_tables(settings: FilesSettings) -> SourceError:
    return SourceError(
        f"source {settings.name!r} has no tables to write to: it consists of files",
        hint="name a source that is a database",
    )


def write_table(
    settings: SourceSettings, table: str, rows: pa.RecordBatchReader, layout: Layout
) -> int:
    """Put rows into a table, in place of those with the same key; returns how many.

    Raises:
        SourceError: it cannot be written, or lacks a column; then it is as it was.
    """
    if isinstance(settings, FilesSettings):
        raise _no_tables(settings)
    if isinstance(settings, DuckDBSettings):
        return _write_duckdb(settings, table, rows, layout)
    if isinstance(settings, SnowflakeSettings):
        from connector.source.write_snowflake import write_snowflake

        return write_snowflake(settings, table, rows, layout)
    from connector.source.write_sqlalchemy import write_url

    return write_url(settings, table, rows, layout)


def missing_columns(source: str, table: str, layout: Layout, known: Sequence[str]) -> None:
    """Refuse a table that was made by somebody else and has no place for a column.

    Raises:
        SourceError: with the columns that it lacks.
    """
    lower = {name.lower() for name in known}
    lacking = [name for name in layout.names if name.lower() not in lower]
    if lacking:
        raise SourceError(
            f"source {source!r}: {table} has no column {', '.join(lacking)}",
            hint="add what is missing, or name a table that is not there yet: it is made",
        )


_DUCKDB = {
    Type.TEXT: "VARCHAR",
    Type.JSON: "JSON",
    Type.INTEGER: "INTEGER",
    Type.NUMBER: "DOUBLE",
    Type.TIME: "TIMESTAMP WITH TIME ZONE",
}


def _write_duckdb(
    settings: DuckDBSettings, table: str, rows: pa.RecordBatchReader, layout: Layout
) -> int:
    try:
        parts = table_parts(table)
    except ValueError:
        raise SourceError(f"{table!r} is no table name") from None
    name = ".".join(identifier(part) for part in ("sink", *parts[-2:]))
    with duckdb.connect(config=LOSSLESS) as connection:
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"ATTACH {literal(str(settings.path))} AS sink")
            connection.register("incoming", rows)
            connection.execute("CREATE TEMP TABLE fresh AS FROM incoming")
            connection.execute("BEGIN")
            if len(parts) > 1:
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS sink.{identifier(parts[-2])}")
            declared = layout.declared(_DUCKDB)
            connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({declared})")
            missing_columns(settings.name, table, layout, connection.table(name).columns)
            key, columns = identifier(layout.key), layout.quoted()
            connection.execute(f"DELETE FROM {name} WHERE {key} IN (SELECT {key} FROM fresh)")  # noqa: S608 - quoted
            connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM fresh")  # noqa: S608 - quoted
            connection.execute("COMMIT")
            return _count(connection)
        except duckdb.Error as error:
            held = "lock" in str(error)
            raise SourceError(
                f"source {settings.name!r}: {table} cannot be written: {first_line(error)}",
                hint="another program has it open; close that one" if held else None,
            ) from error


def write_parquet(path: Path, rows: pa.RecordBatchReader, layout: Layout) -> int:
    """Put rows into a Parquet file, with those it holds under other keys; atomic.

    Returns how many.

    Raises:
        SourceError: it cannot be written, or is no Parquet file.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    key = identifier(layout.key)
    casts = ", ".join(
        f"{identifier(name)}::{_DUCKDB[type_]} AS {identifier(name)}"
        for name, type_ in layout.columns
    )
    with duckdb.connect(config=LOSSLESS) as connection:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("incoming", rows)
            connection.execute(f"CREATE TEMP TABLE fresh AS SELECT {casts} FROM incoming")  # noqa: S608 - quoted
            kept = ""
            if path.exists():
                before = f"read_parquet({literal(str(path))})"
                missing_columns(
                    "files", str(path), layout, connection.sql(f"FROM {before}").columns
                )
                others = f"{key} NOT IN (SELECT {key} FROM fresh)"  # noqa: S608 - quoted
                kept = f"FROM {before} WHERE {others} UNION ALL BY NAME "
            connection.execute(f"COPY ({kept}FROM fresh) TO {literal(str(fresh))} (FORMAT parquet)")
            fresh.replace(path)
            return _count(connection)
        except (duckdb.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else first_line(error)
            raise SourceError(f"{path} cannot be written: {reason}") from error
        finally:
            with suppress(OSError):  # where nothing can be written nothing was
                fresh.unlink(missing_ok=True)


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    (row,) = connection.execute("SELECT count(*) FROM fresh").fetchall()
    return int(row[0])
