"""Databases that have to pass, filled over their own connections."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from connector.sql import identifier, literal
from tests.support import postgres, snowflake

if TYPE_CHECKING:
    from tests.conformance.warehouses import Rows


@cache
def _postgres(folder: Path) -> str:
    """The name of the database that belongs to a folder."""
    server = postgres.start()
    name = server.database()
    server.run(
        name,
        "CREATE EXTENSION vector",
        "CREATE TYPE tier AS ENUM ('gold', 'sil''ver')",
        "CREATE TYPE person AS (name TEXT, n INTEGER)",
    )
    return name


@cache
def _snowflake(folder: Path) -> str:
    return snowflake.start().database()


def _declared(types: Mapping[str, str], columns: Mapping[str, str]) -> str:
    return ", ".join(f"{identifier(name)} {types[kind]}" for name, kind in columns.items())


class Postgres:
    """Tables of a real PostgreSQL."""

    types: Mapping[str, str] = {
        "text": "TEXT",
        "bool": "BOOLEAN",
        "int16": "SMALLINT",
        "int32": "INTEGER",
        "int64": "BIGINT",
        "float": "REAL",
        "double": "DOUBLE PRECISION",
        "decimal(1,0)": "NUMERIC(1)",
        "decimal(18,2)": "NUMERIC(18, 2)",
        "decimal(38,0)": "NUMERIC(38)",
        "date": "DATE",
        "timestamp_us": "TIMESTAMP",
        "timestamptz": "TIMESTAMPTZ",
        "time": "TIME",
        "timetz": "TIMETZ",
        "interval": "INTERVAL",
        "uuid": "UUID",
        "enum": "tier",
        "json": "JSON",
        "list_text": "TEXT[]",
        "list_int": "BIGINT[]",
        "list_uuid": "UUID[]",
        "list_enum": "tier[]",
        "list_float": "REAL[]",
        "list_double": "DOUBLE PRECISION[]",
        "array_float": "vector(3)",
        "struct": "person",
    }

    def fill(self, folder: Path, table: str, columns: Mapping[str, str], rows: Rows) -> None:
        import psycopg

        with psycopg.connect(postgres.start().url(_postgres(folder))) as connection:
            connection.execute(b"SET TimeZone = 'UTC'")
            made = f"CREATE TABLE {identifier(table)} ({_declared(self.types, columns)})"
            connection.execute(made.encode())
            for row in rows:
                names = ", ".join(identifier(name) for name in row)
                values = ", ".join(self._cast(columns[name], n + 1) for n, name in enumerate(row))
                with psycopg.RawCursor(connection) as cursor:
                    cursor.execute(
                        f"INSERT INTO {identifier(table)} ({names}) VALUES ({values})".encode(),  # noqa: S608 - ours
                        [self._value(columns[name], value) for name, value in row.items()],
                    )

    def run(self, folder: Path, *statements: str) -> None:
        postgres.start().run(_postgres(folder), *statements)

    def _cast(self, kind: str, number: int) -> str:
        if kind == "struct":
            return f"jsonb_populate_record(NULL::person, ${number}::jsonb)"
        through = "::text[]" if kind.startswith("list_") else ""
        return f"${number}{through}::{self.types[kind]}"

    def _value(self, kind: str, value: str | None) -> Any:
        if value is None or not kind.startswith("list_"):
            return value
        return [None if item is None else str(item) for item in json.loads(value)]

    def source(self, folder: Path) -> str:
        return f'type: sqlalchemy, url: "{postgres.start().url(_postgres(folder))}"'

    def reads(self, table: str) -> str:
        return f"table: {table}"


class SQLite:
    """Tables of a SQLite file."""

    types: Mapping[str, str] = {
        "text": "TEXT",
        "bool": "BOOLEAN",
        "int64": "INTEGER",
        "double": "REAL",
        "decimal(18,2)": "DECIMAL(18, 2)",
        "date": "DATE",
        "timestamp_us": "TIMESTAMP",
        "json": "JSON",
    }
    _python: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "bool": json.loads,
        "int64": int,
        "double": float,
        "decimal(18,2)": float,
    }

    def fill(self, folder: Path, table: str, columns: Mapping[str, str], rows: Rows) -> None:
        with closing(sqlite3.connect(folder / "warehouse.db")) as connection:
            declared = _declared(self.types, columns)
            connection.execute(f"CREATE TABLE {identifier(table)} ({declared})")
            for row in rows:
                names = ", ".join(identifier(name) for name in row)
                marks = ", ".join("?" * len(row))
                connection.execute(
                    f"INSERT INTO {identifier(table)} ({names}) VALUES ({marks})",  # noqa: S608 - ours
                    [self._value(columns[name], value) for name, value in row.items()],
                )
            connection.commit()

    def run(self, folder: Path, *statements: str) -> None:
        with closing(sqlite3.connect(folder / "warehouse.db")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def _value(self, kind: str, value: str | None) -> Any:
        return value if value is None else self._python.get(kind, str)(value)

    def source(self, folder: Path) -> str:
        return "type: sqlalchemy, url: 'sqlite:///warehouse.db'"

    def reads(self, table: str) -> str:
        return f"table: {table}"


class Snowflake:
    """Tables of fakesnow, through the connector of Snowflake."""

    types: Mapping[str, str] = {
        "text": "VARCHAR",
        "bool": "BOOLEAN",
        "int64": "NUMBER(38, 0)",
        "double": "FLOAT",
        "decimal(18,2)": "NUMBER(18, 2)",
        "date": "DATE",
        "timestamp_us": "TIMESTAMP_NTZ",
        "timestamptz": "TIMESTAMP_TZ",
        "time": "TIME",
        "json": "VARIANT",
    }

    def fill(self, folder: Path, table: str, columns: Mapping[str, str], rows: Rows) -> None:
        made = f"CREATE TABLE {identifier(table)} ({_declared(self.types, columns)})"
        inserts = [
            self._insert(table, columns, rows[first : first + 50])
            for first in range(0, len(rows), 50)
        ]
        self.run(folder, made, *inserts)

    def run(self, folder: Path, *statements: str) -> None:
        snowflake.start().run(_snowflake(folder), *statements)

    def _insert(
        self, table: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, str | None]]
    ) -> str:
        lines = (", ".join(_escaped(row.get(name)) for name in columns) for row in rows)
        casts = (
            f"PARSE_JSON(c{n})" if kind == "json" else f"c{n}::{self.types[kind]}"
            for n, kind in enumerate(columns.values())
        )
        names = ", ".join(f"c{n}" for n, _ in enumerate(columns))
        values = ", ".join(f"({line})" for line in lines)
        return (
            f"INSERT INTO {identifier(table)} SELECT {', '.join(casts)} "  # noqa: S608 - ours
            f"FROM (VALUES {values}) AS t ({names})"
        )

    def source(self, folder: Path) -> str:
        return (
            "type: snowflake, account: tests, user: tests, password: made-up, schema: ANALYTICS, "
            f'url: "{snowflake.start().url}", database: {_snowflake(folder)}'
        )

    def reads(self, table: str) -> str:
        return f"table: '{identifier(table)}'"


def _escaped(value: str | None) -> str:
    """A constant in a SQL in which a backslash escapes."""
    return literal(value).replace("\\", "\\\\")


class Database(Protocol):
    """A warehouse that is changed by SQL of its own."""

    types: Mapping[str, str]

    def fill(self, folder: Path, table: str, columns: Mapping[str, str], rows: Rows) -> None:
        """Make a table with `columns` (kinds by name)."""
        ...

    def run(self, folder: Path, *statements: str) -> None:
        """Run statements over what belongs to a folder."""
        ...

    def source(self, folder: Path) -> str:
        """The settings of the source, as YAML."""
        ...

    def reads(self, table: str) -> str:
        """`table:` of a mapping that reads the table."""
        ...


DATABASES: dict[str, Database] = {
    "postgres": Postgres(),
    "sqlite": SQLite(),
    "snowflake": Snowflake(),
}
