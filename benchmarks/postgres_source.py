"""How fast rows leave PostgreSQL: the connector's source against a bare ADBC read, in one run.

Both fill the same DuckDB table with the same 1,000,000 rows, turn and turn about, each in a process
of its own so that its memory can be told. The server is one that the tests start.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb

ROWS = 1_000_000
ROUNDS = 5
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


def main() -> None:
    """Measure and print one line of JSON: seconds, the ratio of rates, megabytes."""
    from tests.support import postgres

    server = postgres.start()
    database = server.database()
    server.run(database, TABLE.replace("{rows}", str(ROWS)), "ANALYZE users")
    found: dict[str, list[dict[str, float]]] = {"bare": [], "source": []}
    for _ in range(ROUNDS):
        for way, runs in found.items():
            command = [sys.executable, "-m", __spec__.name, way, server.url(database)]
            runs.append(json.loads(subprocess.check_output(command)))
    seconds = {
        way: statistics.median(run["seconds"] for run in runs) for way, runs in found.items()
    }
    megabytes = {way: max(run["megabytes"] for run in runs) for way, runs in found.items()}
    ratio = seconds["bare"] / seconds["source"]
    print(json.dumps({"rows": ROWS, "seconds": seconds, "ratio": ratio, "megabytes": megabytes}))


def run(way: str, url: str) -> dict[str, float]:
    """Read the table once."""
    connection = duckdb.connect()
    started = time.perf_counter()
    {"bare": _bare, "source": _source}[way](connection, url)
    seconds = time.perf_counter() - started
    assert connection.execute("SELECT count(*) FROM rows").fetchone() == (ROWS,)
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
    if len(sys.argv) > 1:
        print(json.dumps(run(*sys.argv[1:])))
    else:
        main()
