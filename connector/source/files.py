"""Files as a source: CSV, JSON and Parquet below one folder, read by DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches

import duckdb
import pyarrow as pa

from connector.errors import SourceError
from connector.source.base import ROWS_PER_BATCH, Relation
from connector.source.duckdb import LOSSLESS, duckdb_errors, first_line, narrow, rows_of
from connector.source.settings import CsvOptions, FilesSettings
from connector.sql import identifier, literal

_CSV = {".csv", ".tsv", ".txt"}
_JSON = {".json", ".ndjson", ".jsonl"}
_PARQUET = {".parquet", ".pq"}
_COMPRESSED = {".gz", ".zst"}
_ENCODINGS = {"latin1": "latin-1", "iso-8859-1": "latin-1", "iso8859-1": "latin-1", "utf8": "utf-8"}
"""Other names of the encodings that DuckDB reads."""


class FilesSource:
    """Reads files by name or glob below one folder; `query` may name them as DuckDB does.

    A table is a path relative to the folder: `users.csv`, `events/*.parquet`. Nothing outside the
    folder can be read.
    """

    def __init__(self, settings: FilesSettings) -> None:
        self.name = settings.name
        self.timezone = settings.timezone
        self._settings = settings
        self._folder = settings.path.resolve()
        if not self._folder.is_dir():
            raise SourceError(
                f"source {self.name!r}: no folder at {settings.path}",
                hint="check `path`; it is relative to the folder that holds `mappings/`",
            )
        self._connection = duckdb.connect(config=LOSSLESS)
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET allowed_directories = [?]", [f"{self._folder}/"])
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def schema(self, relation: Relation) -> pa.Schema:
        """The columns `read` would yield, found by looking at the head of the files."""
        with self._errors(relation):
            return self._select(self._connection, relation).limit(0).to_arrow_table().schema

    @contextmanager
    def read(self, relation: Relation) -> Iterator[pa.RecordBatchReader]:
        """Stream the rows as Arrow batches."""
        cursor = self._connection.cursor()
        try:
            with self._errors(relation):
                reader = self._select(cursor, relation).to_arrow_reader(ROWS_PER_BATCH)
            yield reader
        finally:
            cursor.close()

    def origin(self, relation: Relation) -> None:
        """Files are read."""

    def close(self) -> None:
        """Close the connection that reads."""
        self._connection.close()

    def _select(
        self, connection: duckdb.DuckDBPyConnection, relation: Relation
    ) -> duckdb.DuckDBPyRelation:
        if relation.table is None:
            query = (relation.query or "").strip().rstrip(";")
            for table in _files_named(connection, query):
                connection.execute(
                    f"CREATE OR REPLACE TEMP VIEW {identifier(table)} AS {self._file(table)}"
                )
            rows = rows_of(connection, query)
        else:
            rows = connection.sql(self._file(relation.table))
        return narrow(connection, rows, relation, self.timezone)

    def _file(self, table: str) -> str:
        path = literal(str(self._folder / table))
        kind = _kind(table)
        if kind in _PARQUET:
            return f"FROM read_parquet({path}, union_by_name = true)"
        if kind in _JSON:
            return f"FROM read_json({path})"
        if kind in _CSV:
            options = ", ".join(
                f"{name} = {literal(value)}" for name, value in _csv_options(self._settings).items()
            )
            return f"FROM read_csv({path}, {options})"
        raise SourceError(
            f"source {self.name!r}: {table!r} is none of CSV, JSON and Parquet",
            hint="known endings: .csv .tsv .txt .json .ndjson .jsonl .parquet, also .gz and .zst",
        )

    @contextmanager
    def _errors(self, relation: Relation) -> Iterator[None]:
        try:
            with duckdb_errors(self.name, relation):
                yield
        except SourceError as error:
            if isinstance(error.__cause__, duckdb.IOException) and relation.table:
                raise SourceError(
                    f"source {self.name!r}: no file {relation.table!r} in {self._settings.path}: "
                    f"{first_line(error.__cause__)}",
                    hint=self._closest(relation.table),
                ) from error.__cause__
            raise

    def _closest(self, table: str) -> str | None:
        known = [str(path.relative_to(self._folder)) for path in self._folder.rglob("*.*")]
        close = get_close_matches(table, known, n=1, cutoff=0.5)
        return f"did you mean {close[0]!r}?" if close else None


def _kind(table: str) -> str:
    name = table.lower()
    for ending in _COMPRESSED:
        name = name.removesuffix(ending)
    dot = name.rfind(".")
    return name[dot:] if dot >= 0 else ""


def _csv_options(settings: FilesSettings) -> dict[str, str | int | bool]:
    csv: CsvOptions = settings.csv
    given: dict[str, str | bool | None] = {
        "delim": csv.delimiter,
        "quote": csv.quote,
        "header": csv.header,
        "nullstr": csv.null,
        "dateformat": csv.date_format,
        "timestampformat": csv.timestamp_format,
    }
    options: dict[str, str | int | bool] = {
        name: value for name, value in given.items() if value is not None
    }
    # The whole file decides a column's type: a text in the last line must not fail the read.
    return options | {
        "encoding": _ENCODINGS.get(settings.encoding.lower(), settings.encoding),
        "all_varchar": csv.all_text,
        "sample_size": -1,
    }


def _files_named(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[str]:
    """The tables of a query that are names of files: they are read as `table:` would read them."""
    row = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    pending = [json.loads(row[0])] if row else []
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            name = node.get("table_name", "")
            if node.get("type") == "BASE_TABLE" and _kind(name) in _CSV | _JSON | _PARQUET:
                yield name
            pending += node.values()
