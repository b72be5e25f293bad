"""What ours is compared with; each is a process: `python -m benchmarks.baselines NAME FOLDER …`."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable

import duckdb

from benchmarks.data import FIELDS


def join(folder: str) -> None:
    """A full outer join on the key of both tables, comparing every column."""
    ours = ", ".join(f"a.{name}" for name in FIELDS)
    theirs = ", ".join(f"b.{name}" for name in FIELDS)
    with duckdb.connect(f"{folder}/w.duckdb", read_only=True) as connection:
        began = time.perf_counter()
        connection.execute(
            f"SELECT count(*) FROM users AS a FULL JOIN changed AS b USING (uid) "
            f"WHERE ({ours}) IS DISTINCT FROM ({theirs})"
        ).fetchall()
        print(time.perf_counter() - began)


def encode(folder: str) -> None:
    """Turn the events into JSON and drop it."""
    with duckdb.connect(f"{folder}/w.duckdb", read_only=True) as connection:
        began = time.perf_counter()
        connection.execute("SELECT sum(strlen(to_json(e)::VARCHAR)) FROM events AS e").fetchall()
        print(time.perf_counter() - began)


def serial(port: str, rows: str) -> None:
    """A serial client: one request after the other on one connection; prints rows a second."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    body = b'{"uid":"user_1","country":"US","total_orders":3}'
    began = time.perf_counter()
    for _ in range(int(rows)):
        connection.request("POST", "/v1/users", body, {"content-type": "application/json"})
        connection.getresponse().read()
    print(int(rows) / (time.perf_counter() - began))


def count(folder: str) -> None:
    """Non-null values of every column."""
    columns = ", ".join(f"count({name})" for name in ("uid", *FIELDS))
    with duckdb.connect(f"{folder}/w.duckdb", read_only=True) as connection:
        began = time.perf_counter()
        connection.execute(f"SELECT {columns} FROM users").fetchall()
        print(time.perf_counter() - began)


BASELINES: dict[str, Callable[..., None]] = {
    "join": join,
    "encode": encode,
    "serial": serial,
    "count": count,
}

if __name__ == "__main__":
    BASELINES[sys.argv[1]](*sys.argv[2:])
