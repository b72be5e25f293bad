"""The sources that have to pass: one more is one more class in `WAREHOUSES`.

A warehouse says which of the kinds of column it can hold, and in which type of its own; it is
handed values as text, nested ones as JSON, and stores them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from connector.sql import identifier
from tests.conformance.databases import DATABASES

Rows = Sequence[Mapping[str, str | None]]
"""Values by column; a column that is not named is null."""


class Warehouse(Protocol):
    """One kind of source; `types` names its type for each kind of column that it can hold."""

    types: Mapping[str, str]

    def fill(self, folder: Path, table: str, columns: Mapping[str, str], rows: Rows) -> None:
        """Make a table with `columns` (kinds by name) in what stands for the warehouse."""
        ...

    def source(self, folder: Path) -> str:
        """The settings of the source, as YAML."""
        ...

    def reads(self, table: str) -> str:
        """`table:` or `query:` of a mapping that reads the table."""
        ...


DUCKDB_TYPES = {
    "text": "VARCHAR",
    "bool": "BOOLEAN",
    **{f"int{bits}": name for bits, name in {
        8: "TINYINT", 16: "SMALLINT", 32: "INTEGER", 64: "BIGINT", 128: "HUGEINT"}.items()},
    **{f"uint{bits}": name for bits, name in {
        8: "UTINYINT", 16: "USMALLINT", 32: "UINTEGER", 64: "UBIGINT", 128: "UHUGEINT"}.items()},
    "bignum": "BIGNUM",
    "float": "FLOAT",
    "double": "DOUBLE",
    "decimal(1,0)": "DECIMAL(1,0)",
    "decimal(18,2)": "DECIMAL(18,2)",
    "decimal(38,0)": "DECIMAL(38,0)",
    "date": "DATE",
    "timestamp_s": "TIMESTAMP_S",
    "timestamp_ms": "TIMESTAMP_MS",
    "timestamp_us": "TIMESTAMP",
    "timestamp_ns": "TIMESTAMP_NS",
    "timestamptz": "TIMESTAMPTZ",
    "timestamptz_ns": "TIMESTAMPTZ_NS",
    "time": "TIME",
    "time_ns": "TIME_NS",
    "timetz": "TIMETZ",
    "interval": "INTERVAL",
    "uuid": "UUID",
    "enum": "ENUM('gold', 'sil''ver')",
    "json": "JSON",
    "variant": "VARIANT",
    "list_text": "VARCHAR[]",
    "list_int": "BIGINT[]",
    "list_uuid": "UUID[]",
    "list_enum": "ENUM('gold', 'sil''ver')[]",
    "list_json": "JSON[]",
    "list_float": "FLOAT[]",
    "list_double": "DOUBLE[]",
    "list_bignum": "BIGNUM[]",
    "array_float": "FLOAT[3]",
    "struct": "STRUCT(name VARCHAR, n INTEGER)",
    "struct_odd": 'STRUCT("sel""ect" VARCHAR, "a b" INTEGER, "item0" BOOLEAN)',
    "struct_times": (
        "STRUCT(\"at\" TIMESTAMP, zoned TIMESTAMPTZ, day DATE, clock TIME, price DECIMAL(10,2), "
        "whole DECIMAL(38,0), small FLOAT, big DOUBLE, code UUID)"
    ),
    "struct_lists": 'STRUCT(xs STRUCT("at" TIMESTAMP)[], days DATE[][])',
    "map_text": "MAP(VARCHAR, INTEGER)",
    "map_int": "MAP(INTEGER, VARCHAR)",
    "map_times": "MAP(VARCHAR, TIMESTAMP)",
    "union": "UNION(num INTEGER, txt VARCHAR)",
}  # fmt: skip

_NESTED = ("list_", "array_", "struct", "map_")
_CASTS = {
    "list_bignum": "?::BIGNUM[]",
    "variant": '?::JSON::STRUCT(n INTEGER, "day" DATE, x DOUBLE)::VARIANT',
}
"""How text becomes what JSON does not become by itself."""


def _cast(kind: str) -> str:
    from_json = "::JSON" if kind.startswith(_NESTED) else ""
    return _CASTS.get(kind, f"?{from_json}::{DUCKDB_TYPES[kind]}")


def fill_duckdb(file: Path, table: str, columns: Mapping[str, str], rows: Rows) -> None:
    """A table of a DuckDB file."""
    types = {name: DUCKDB_TYPES[kind] for name, kind in columns.items()}
    declared = ", ".join(f"{identifier(name)} {type_}" for name, type_ in types.items())
    with duckdb.connect(str(file)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE {identifier(table)} ({declared})")
        connection.execute("BEGIN")
        for row in rows:
            values = [_cast(columns[name]) for name in row]
            names = ", ".join(map(identifier, row))
            connection.execute(
                f"INSERT INTO {identifier(table)} ({names}) VALUES ({', '.join(values)})",  # noqa: S608 - ours
                list(row.values()),
            )
        connection.execute("COMMIT")


class DuckDB:
    """Tables of a DuckDB file, scanned where they lie."""

    types = DUCKDB_TYPES

    def fill(self, folder: Path, table: str, columns: Mapping[str, str], rows: Rows) -> None:
        fill_duckdb(folder / "warehouse.duckdb", table, columns, rows)

    def source(self, folder: Path) -> str:
        return "type: duckdb, path: warehouse.duckdb"

    def reads(self, table: str) -> str:
        return f"table: {table}"


class DuckDBQuery(DuckDB):
    """The same over a query, whose rows come as Arrow."""

    def reads(self, table: str) -> str:
        return f"query: from {table}"


_PLAIN = {"text", "bool", "int64", "double", "date", "timestamp_us"}
_NOT_IN_PARQUET = {
    "bignum", "list_bignum", "int128", "uint128", "timetz", "variant", "union", "interval",
    "timestamptz_ns",
}  # fmt: skip
"""Parquet has no such types: DuckDB writes another in their place."""


@dataclass(frozen=True)
class Files:
    """One file for each table, written by DuckDB; `kinds` survive the format."""

    ending: str
    options: str
    kinds: frozenset[str]

    @property
    def types(self) -> Mapping[str, str]:
        return {kind: type_ for kind, type_ in DUCKDB_TYPES.items() if kind in self.kinds}

    def fill(self, folder: Path, table: str, columns: Mapping[str, str], rows: Rows) -> None:
        files = folder / "files"
        files.mkdir(exist_ok=True)
        made = folder / "made.duckdb"
        fill_duckdb(made, table, columns, rows)
        with duckdb.connect(str(made)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            file = files / f"{table}.{self.ending}"
            connection.execute(f"COPY {identifier(table)} TO '{file}' ({self.options})")

    def source(self, folder: Path) -> str:
        return "type: files, path: files"

    def reads(self, table: str) -> str:
        return f"table: {table}.{self.ending}"


WAREHOUSES: dict[str, Warehouse] = {
    "duckdb": DuckDB(),
    "duckdb_query": DuckDBQuery(),
    "parquet": Files("parquet", "FORMAT parquet", frozenset(DUCKDB_TYPES) - _NOT_IN_PARQUET),
    "csv": Files("csv", "FORMAT csv, FORCE_QUOTE *", frozenset(_PLAIN)),
    "json": Files("json", "FORMAT json", frozenset(_PLAIN | {"list_text", "struct"})),
    **DATABASES,
}
