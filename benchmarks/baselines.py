"""What ours is compared with; each is a process: `python -m benchmarks.baselines NAME FOLDER …`."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable
from typing import cast

import duckdb

from benchmarks.data import FIELDS, MORE


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


def protocol(port: str, connections: str, seconds: str) -> None:
    """A sender without HTTP library: ready bytes, and an answer is whatever comes back."""
    import asyncio

    import uvloop

    body = b'{"uid":"user_1","country":"US","total_orders":3}'
    request = b"POST /v1/users HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    request += b"content-length: %d\r\n\r\n%b" % (len(body), body)
    answered = 0

    class Sender(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
            self.transport.write(request)

        def data_received(self, data: bytes) -> None:
            nonlocal answered
            answered += 1
            self.transport.write(request)

    async def send() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(int(connections)):
            await loop.create_connection(Sender, "127.0.0.1", int(port))
        before, began = answered, time.perf_counter()
        await asyncio.sleep(int(seconds))
        print((answered - before) / (time.perf_counter() - began))

    uvloop.run(send())


def count(folder: str) -> None:
    """Non-null values of every column."""
    columns = ", ".join(f"count({name})" for name in ("uid", *FIELDS, *MORE))
    with duckdb.connect(f"{folder}/w.duckdb", read_only=True) as connection:
        began = time.perf_counter()
        connection.execute(f"SELECT {columns} FROM users").fetchall()
        print(time.perf_counter() - began)


BASELINES: dict[str, Callable[..., None]] = {
    "join": join,
    "encode": encode,
    "serial": serial,
    "protocol": protocol,
    "count": count,
}

if __name__ == "__main__":
    BASELINES[sys.argv[1]](*sys.argv[2:])
