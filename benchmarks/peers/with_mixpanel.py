"""Mixpanel's SDK: `track` for each event into its buffered consumer (batches of 50, its limit)."""

from __future__ import annotations

import sys
import time


def main(port: str, rows: int) -> None:
    """Track the rows once."""
    import duckdb
    from mixpanel import BufferedConsumer, Mixpanel

    from benchmarks.peers.rows import select

    consumer = BufferedConsumer(events_url=f"http://127.0.0.1:{port}/track")
    client = Mixpanel("token", consumer=consumer)
    connection = duckdb.connect("w.duckdb", read_only=True)
    began = time.perf_counter()
    found = connection.execute(select("events", rows))
    names = [column[0] for column in found.description]
    while batch := found.fetchmany(10_000):
        for values in batch:
            row = dict(zip(names, values, strict=True))
            client.track(row.pop("uid"), row.pop("type"), row | {"$insert_id": row.pop("id")})
    consumer.flush()
    print(rows / (time.perf_counter() - began))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[3]))
