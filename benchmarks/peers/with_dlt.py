"""dlt: Arrow out of DuckDB, parquet between its steps, a custom destination that posts.

Events go in batches of 1,000 by 20 workers, with all that was found to help; `events-plain` is the
same as dlt's documentation has it, with its own requests and one file. Users go one a request by
one worker, which is how dlt keeps the order of a key; `users-parallel` gives the order up for 20
workers.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

WORKERS = {"events": 20, "events-plain": 20, "users": 1, "users-parallel": 20}


def main(port: str, kind: str, rows: int) -> None:
    """Run the pipeline once."""
    workers = WORKERS[kind]
    plain = kind == "events-plain"
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "LOAD__WORKERS": str(workers),
    }
    if not plain:
        a_file_a_worker = str(max(1, rows // workers))
        os.environ["DATA_WRITER__FILE_MAX_ITEMS"] = a_file_a_worker
        os.environ["DATA_WRITER__BUFFER_MAX_ITEMS"] = a_file_a_worker
    import dlt
    import duckdb
    import requests
    from dlt.common.json import json
    from dlt.sources.helpers import requests as helper

    from benchmarks.data import API_KEY
    from benchmarks.peers.rows import select

    path = kind.partition("-")[0]
    batch = 1000 if path == "events" else 1
    url = f"http://127.0.0.1:{port}/v1/{path}"
    headers = {"content-type": "application/json", "authorization": f"Bearer {API_KEY}"}
    local = threading.local()

    def read() -> Iterator[Any]:
        with duckdb.connect("w.duckdb", read_only=True) as connection:
            reader = connection.sql(select(path, rows)).to_arrow_reader(max(1, rows // workers))
            yield from reader

    def post(items: Any, table: Any) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        found = items.to_pylist()
        body = json.dumpb({"events": found} if path == "events" else found[0])
        local.session.post(url, data=body, headers=headers, timeout=30).raise_for_status()

    def post_plainly(items: Any, table: Any) -> None:
        helper.post(url, json={"events": items.to_pylist()}, headers=headers).raise_for_status()

    files: Any = {} if plain else {"loader_file_format": "parquet"}
    send = post_plainly if plain else post
    target = dlt.destination(send, batch_size=batch, name="api", **files)
    pipeline = dlt.pipeline("bench", destination=target(), pipelines_dir="dlt")
    began = time.perf_counter()
    pipeline.run(dlt.resource(read, name=path), **files).raise_on_failed_jobs()
    print(rows / (time.perf_counter() - began))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
