"""The rows of a mapping where DuckDB can count them: a connection with the relation `source`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from connector.errors import SourceError, first_line
from connector.memory import memory_limit
from connector.prepare import Bound
from connector.source.base import Relation
from connector.source.duckdb import LOSSLESS, confine, duckdb_errors, select
from connector.source.settings import DuckDBSettings, SourceSettings
from connector.sql import literal

_SEED = 20_071


@contextmanager
def readable(
    bound: Bound, settings: SourceSettings, *, sample: float | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that is locked in, with the relation `source`, which may be read repeatedly.

    A DuckDB file is read in place: nothing is copied, and its statistics are in reach. The rows of
    other sources are kept for as long as the connection lasts, in memory and beyond that in a
    private folder. `sample` is a percentage: a random part of the rows, the same one every time.

    Raises:
        SourceError: the source cannot be read.
    """
    part = f"TABLESAMPLE bernoulli({sample:f} PERCENT) REPEATABLE ({_SEED})" if sample else ""
    with tempfile.TemporaryDirectory(prefix="connector-") as spill:
        connection = duckdb.connect(
            config={**LOSSLESS, "temp_directory": spill, "memory_limit": memory_limit()}
        )
        try:
            if isinstance(settings, DuckDBSettings):
                _attach(connection, settings, bound.relation(), part)
            else:
                _keep(connection, bound, part)
            yield connection
        finally:
            connection.close()


def _attach(
    connection: duckdb.DuckDBPyConnection, settings: DuckDBSettings, relation: Relation, part: str
) -> None:
    with duckdb_errors(settings.name, relation):
        connection.execute(f"ATTACH {literal(str(settings.path))} AS warehouse (READ_ONLY)")
        connection.execute("USE warehouse")
        confine(connection)
        rows = select(connection, relation, settings.timezone).sql_query()
        connection.execute(f"CREATE TEMP VIEW source AS SELECT * FROM ({rows}\n) {part}")  # noqa: S608 - the source's own SQL


def _keep(connection: duckdb.DuckDBPyConnection, bound: Bound, part: str) -> None:
    with bound.source.read(bound.relation()) as reader:
        connection.register("incoming", reader)
        try:
            connection.execute(f"CREATE TEMP TABLE source AS SELECT * FROM incoming {part}")  # noqa: S608 - a number of ours
        except duckdb.Error as error:
            raise SourceError(
                f"source {bound.source.name!r}: reading {bound.relation()} failed: "
                f"{first_line(error)}"
            ) from error
        connection.unregister("incoming")
    confine(connection)
