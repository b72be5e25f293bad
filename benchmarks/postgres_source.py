"""How fast rows leave PostgreSQL: the connector's source against a bare ADBC read.

Both fill the same DuckDB table with the same rows, each in a process of its own so that its memory
can be told. The server is one that the tests start.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import duckdb
import pytest

from benchmarks.measure import ROOT, Result, Size, Skipped, in_turn, python, run

TABLE = """
CREATE TABLE users AS SELECT
    n AS user_id, 'user-' || n AS email, 'city ' || n % 1000 AS city, n % 2 = 0 AS active,
    n / 7.0 AS score, (n / 100.0)::numeric(12, 2) AS spent,
    '2020-01-01'::timestamptz + n * interval '1 minute' AS signed_up,
    '2020-01-01'::timestamp + n * interval '1 second' AS seen,
    '1980-01-01'::date + n % 9000 AS born,
    ARRAY['a', 'b' || n % 50] AS tags, '{"plan": "gold"}'::jsonb AS traits
FROM generate_series(1, {rows}) AS n
"""


def p8(size: Size, folder: Path) -> list[Result | Skipped]:
    """Rows a second out of PostgreSQL, against a bare ADBC read."""
    work = f"{size.extracted:,} rows out of PostgreSQL into DuckDB"
    from tests.support import postgres

    try:
        server = postgres.start()
    except pytest.skip.Exception as reason:
        return [Skipped("P8", work, str(reason))]
    database = server.database()
    server.run(database, TABLE.replace("{rows}", str(size.extracted)), "ANALYZE users")
    megabytes: list[float] = []

    def rate(way: str) -> float:
        command = python("-m", "benchmarks.postgres_source", way, server.url(database))
        found = json.loads(run([*command, str(size.extracted)], ROOT).output)
        if way == "source":
            megabytes.append(found["megabytes"])
        return size.extracted / float(found["seconds"])

    ours, bare = in_turn(size.rounds, lambda: rate("source"), lambda: rate("bare"))
    return [
        Result("P8", work, "bare ADBC to DuckDB", "rows/s", ours, bare, ours / bare, ">= 0.7",
               ours / bare >= 0.7, f"{max(megabytes):.0f} MB")
    ]  # fmt: skip


def read(way: str, url: str, rows: int) -> dict[str, float]:
    """Read the table once."""
    connection = duckdb.connect()
    started = time.perf_counter()
    {"bare": _bare, "source": _source}[way](connection, url)
    seconds = time.perf_counter() - started
    assert connection.execute("SELECT count(*) FROM rows").fetchone() == (rows,)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "megabytes": peak}


def _bare(connection: duckdb.DuckDBPyConnection, url: str) -> None:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(url) as database, database.cursor() as cursor:
        cursor.execute("SELECT * FROM users")
        _fill(connection, cursor.fetch_record_batch())


def _source(connection: duckdb.DuckDBPyConnection, url: str) -> None:
    from pydantic import SecretStr

    from connector.errors import Place
    from connector.source.base import Relation
    from connector.source.open import open_source
    from connector.source.settings import SQLAlchemySettings

    source = open_source(SQLAlchemySettings("pg", Place(Path()), SecretStr(url), Path()))
    relation = Relation(table="users")
    source.schema(relation)
    with source.read(relation) as reader:
        _fill(connection, reader)
    source.close()


def _fill(connection: duckdb.DuckDBPyConnection, reader: object) -> None:
    connection.register("incoming", reader)
    connection.execute("CREATE TABLE rows AS FROM incoming")


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
