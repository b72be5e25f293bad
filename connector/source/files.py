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
from connector.source.duckdb import LOSSLESS, confine, duckdb_errors, narrow, rows_of
from connector.source.folder import open_folder
from connector.source.settings import CsvOptions, FilesSettings
from connector.source.transcode import COMPRESSED, Transcoder, native
from connector.sql import identifier, literal

_CSV = {".csv", ".tsv", ".txt"}
_JSON = {".json", ".ndjson", ".jsonl"}
_PARQUET = {".parquet", ".pq"}


class FilesSource:
    """Reads files by name or glob below one folder; `query` may name them as DuckDB does.

    A table is a path relative to the folder: `users.csv`, `events/*.parquet`; folders named
    `year=2026` are columns. Nothing outside the folder can be read.
    """

    def __init__(self, settings: FilesSettings) -> None:
        self.name = settings.name
        self.timezone = settings.timezone
        self._settings = settings
        self._connection = duckdb.connect(config=LOSSLESS)
        self._folder = open_folder(self.name, settings.path, self._connection)
        allowed = [self._folder.location]
        self._transcoder = None
        if native(settings.encoding) is None:
            self._transcoder = Transcoder(
                self.name, self._folder, settings.encoding, settings.scratch
            )
            allowed.append(self._transcoder.location)
        self._connection.execute("SET allowed_directories = ?", [allowed])
        confine(self._connection)
        self._reading = self._connection

    def schema(self, relation: Relation) -> pa.Schema:
        """The columns `read` would yield, found by looking at the head of the files."""
        with self._errors(relation):
            return self._select(self._connection, relation).limit(0).to_arrow_table().schema

    @contextmanager
    def read(self, relation: Relation) -> Iterator[pa.RecordBatchReader]:
        """Stream the rows as Arrow batches."""
        cursor = self._connection.cursor()
        self._reading = cursor
        try:
            with self._errors(relation):
                reader = self._select(cursor, relation).to_arrow_reader(ROWS_PER_BATCH)
            yield reader
        finally:
            self._reading = self._connection
            cursor.close()

    def origin(self, relation: Relation) -> None:
        """Files are read."""

    def interrupt(self) -> None:
        """Give up what is being read."""
        self._connection.interrupt()
        self._reading.interrupt()

    def close(self) -> None:
        """Close the connection that reads."""
        self._connection.close()
        if self._transcoder is not None:
            self._transcoder.close()

    def _select(
        self, connection: duckdb.DuckDBPyConnection, relation: Relation
    ) -> duckdb.DuckDBPyRelation:
        if relation.table is None:
            query = (relation.query or "").strip().rstrip(";")
            for table in _files_named(connection, query):
                connection.execute(
                    f"CREATE OR REPLACE TEMP VIEW {identifier(table)} "
                    f"AS {self._file(connection, table)}"
                )
            rows = rows_of(connection, query)
        else:
            rows = connection.sql(self._file(connection, relation.table))
        return narrow(connection, rows, relation, self.timezone)

    def _file(self, connection: duckdb.DuckDBPyConnection, table: str) -> str:
        path = literal(f"{self._folder.location}{table}")
        kind = _kind(table)
        if kind in _PARQUET:
            return f"FROM read_parquet({path}, union_by_name = true)"
        if kind in _JSON:
            # All of it decides: a new field in the last line must not fail the read.
            options = "union_by_name = true, sample_size = -1"
            found = f"FROM read_json({path}, {options})"
            if connection.sql(found).columns != ["json"]:
                return found
            # Many fields alike were taken for one map.
            return f"FROM read_json({path}, {options}, map_inference_threshold = -1)"
        if kind in _CSV:
            if self._transcoder is not None:
                path = literal(self._transcoder.pattern(table))
            options = ", ".join(
                f"{name} = {literal(value)}" for name, value in _csv_options(self._settings).items()
            )
            return f"FROM read_csv({path}, {options})"
        raise SourceError(
            f"source {self.name!r}: {table!r} is none of CSV, JSON and Parquet",
            hint="known endings: .csv .tsv .txt .json .ndjson .jsonl .parquet .pq; of text also "
            ".gz and .zst",
        )

    @contextmanager
    def _errors(self, relation: Relation) -> Iterator[None]:
        try:
            with duckdb_errors(self.name, relation):
                yield
        except SourceError as error:
            cause = error.__cause__
            if isinstance(cause, duckdb.IOException) and "No files found" in str(cause):
                raise SourceError(
                    f"source {self.name!r}: no file {str(relation)!r} in {self._settings.path}",
                    hint=self._closest(relation.table or ""),
                ) from None
            if isinstance(cause, duckdb.Error) and "utf-8 encoded" in str(cause):
                raise SourceError(
                    f"source {self.name!r}: {relation} is not in {self._settings.encoding}",
                    hint="name the `encoding:` of the source, as latin-1 or cp1252",
                ) from None
            raise

    def _closest(self, table: str) -> str | None:
        known = self._folder.files("**/*.*")
        close = get_close_matches(table, known, n=1, cutoff=0.5)
        return f"did you mean {close[0]!r}?" if close else None


def _kind(table: str) -> str:
    name = table.lower()
    for ending in COMPRESSED:
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
        "encoding": native(settings.encoding) or "utf-8",
        "all_varchar": csv.all_text,
        "sample_size": -1,
        "union_by_name": True,
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
