"""Segment's SDK: `track` for each event, its queue made so large that nothing is dropped."""

from __future__ import annotations

import sys
import time
from datetime import datetime


def main(port: str, kind: str, rows: int) -> None:
    """Track the rows once; `users` are told by `identify`."""
    import duckdb
    from segment.analytics.client import Client

    from benchmarks.peers.rows import select

    failures: list[object] = []
    client = Client(
        "key", host=f"http://127.0.0.1:{port}", max_queue_size=rows,
        on_error=lambda error, batch: failures.append(error),
    )  # fmt: skip
    connection = duckdb.connect("w.duckdb", read_only=True)
    began = time.perf_counter()
    found = connection.execute(select(kind, rows))
    names = [column[0] for column in found.description]
    while batch := found.fetchmany(10_000):
        for values in batch:
            row = dict(zip(names, values, strict=True))
            uid = row.pop("uid")
            if kind == "users":
                client.identify(uid, row)
                continue
            at = datetime.fromisoformat(row.pop("original_timestamp"))
            client.track(uid, row.pop("type"), row, timestamp=at, message_id=row.pop("id"))
    client.flush()
    print(rows / (time.perf_counter() - began))
    if failures:
        raise SystemExit(f"segment: {failures[0]}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
