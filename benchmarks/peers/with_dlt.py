"""dlt: Arrow out of DuckDB, parquet between its steps, a custom destination that posts.

Events go in batches of 1,000 by 20 workers. Users go one a request by one worker, which is how dlt
keeps the order of a key; `users-parallel` gives the order up for 20 workers.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

WORKERS = {"events": 20, "users": 1, "users-parallel": 20}


def main(port: str, kind: str, rows: int) -> None:
    """Run the pipeline once."""
    workers = WORKERS[kind]
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "LOAD__WORKERS": str(workers),
        "DATA_WRITER__FILE_MAX_ITEMS": str(max(1, rows // workers)),  # a file a worker
        "DATA_WRITER__BUFFER_MAX_ITEMS": str(max(1, rows // workers)),
    }
    import dlt
    import duckdb
    import requests
    from dlt.common.json import json

    from benchmarks.peers.rows import select

    batch = 1000 if kind == "events" else 1
    path = "events" if kind == "events" else "users"
    url = f"http://127.0.0.1:{port}/v1/{path}"
    local = threading.local()

    def read() -> Iterator[Any]:
        with duckdb.connect("w.duckdb", read_only=True) as connection:
            reader = connection.sql(select(path, rows)).to_arrow_reader(max(1, rows // workers))
            yield from reader

    def post(items: Any, table: Any) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        found = items.to_pylist()
        body = json.dumpb({"events": found} if kind == "events" else found[0])
        local.session.post(
            url, data=body, headers={"content-type": "application/json"}, timeout=30
        ).raise_for_status()

    target = dlt.destination(post, batch_size=batch, loader_file_format="parquet", name="api")
    pipeline = dlt.pipeline("bench", destination=target(), pipelines_dir="dlt")
    began = time.perf_counter()
    pipeline.run(dlt.resource(read, name=path), loader_file_format="parquet").raise_on_failed_jobs()
    print(rows / (time.perf_counter() - began))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
