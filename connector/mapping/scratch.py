"""One DuckDB in memory in which expressions are bound and tried: no rows of a run go through it."""

from __future__ import annotations

from functools import cache

import duckdb


def scratch() -> duckdb.DuckDBPyConnection:
    """A connection on UTC with temporary tables of its own, locked in; whoever takes it closes it.

    Opening a database costs milliseconds, a connection to one that is open next to nothing.
    """
    try:
        return _opened()
    except duckdb.Error:
        # An internal error of DuckDB gives up the whole database, for all that come after.
        _database.cache_clear()
        return _opened()


def _opened() -> duckdb.DuckDBPyConnection:
    connection = _database().cursor()
    connection.execute("SELECT 1").fetchall()
    return connection


@cache
def _database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection
