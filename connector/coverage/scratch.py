"""A place to set keys of several mappings against each other."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from connector.memory import memory_limit
from connector.source.base import ROWS_PER_BATCH


class Scratch:
    """A DuckDB in a private file, which grows beyond memory and goes with the run.

    A context manager.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="connector-")
        file = Path(self._folder.name, "scratch.duckdb")
        self.connection = duckdb.connect(str(file), config={"memory_limit": memory_limit()})

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self._folder.cleanup()

    def copy(self, connection: duckdb.DuckDBPyConnection, sql: str, table: str) -> None:
        """Put what another connection answers into a table."""
        reader = connection.sql(sql).to_arrow_reader(ROWS_PER_BATCH)
        self.insert(reader, f"INSERT INTO {table} FROM incoming")

    def insert(self, reader: pa.RecordBatchReader, sql: str) -> None:
        """Run an INSERT with the rows of a reader as `incoming`."""
        self.connection.register("incoming", reader)
        try:
            self.connection.execute(sql)
        finally:
            self.connection.unregister("incoming")

    def answer(self, sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        return self.connection.execute(sql, parameters).fetchall()
