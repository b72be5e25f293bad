"""What a million rows cost: `python -m benchmarks.scale`, for docs/scale.md.

Each figure is of one process of the command line: processor seconds (user and system), peak memory,
requests, and bytes of the state file per row. The server answers 202 and nothing else.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks import data
from benchmarks.loopback import served
from benchmarks.measure import Run, connector, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="connector-scale-") as folder, served() as port:
        users(Path(folder) / "users", given.rows, port)
        events(Path(folder) / "events", given.rows, port)
        sharded(Path(folder) / "shards", given.rows, given.shards, port)


def users(folder: Path, rows: int, port: int) -> None:
    data.project(folder, data.USERS_MAPPING, port=port)
    data.users(folder, rows)
    data.users(folder, rows, table="changed", changed=True)
    show("users, first sync", folder, sync(folder))
    show("users, nothing changed", folder, sync(folder))
    data.swap(folder)
    show("users, plan of 1 % changed", folder, run(connector("plan", "--json"), folder))
    show("users, 1 % changed", folder, sync(folder))


def events(folder: Path, rows: int, port: int) -> None:
    data.project(folder, data.EVENTS_MAPPING, port=port)
    data.events(folder, rows)
    show("events, first sync", folder, sync(folder))
    show("events, nothing new", folder, sync(folder))


def sharded(folder: Path, rows: int, shards: int, port: int) -> None:
    data.project(folder, data.USERS_MAPPING, port=port)
    data.users(folder, rows)
    show(f"users, shard 1/{shards}", folder, sync(folder, "--shard", f"1/{shards}"))
    again = sync(folder, "--shard", f"1/{shards}")
    show(f"users, shard 1/{shards}, nothing changed", folder, again)


def sync(folder: Path, *options: str) -> Run:
    return run(connector("-q", "sync", "--json", *options), folder)


def show(what: str, folder: Path, done: Run) -> None:
    """A line of the table."""
    [entry] = json.loads(done.output)["mappings"]
    requests = entry.get("http", {}).get("requests", 0)
    rows = entry["rows"]["source"]
    state = sum(file.stat().st_size for file in (folder / ".connector").rglob("rows*.duckdb"))
    print(
        f"{what:36} {rows:>12,} rows  {done.cpu:8.1f} CPU s  {done.wall:8.1f} s  "
        f"{done.memory:6.0f} MB  {requests:>10,} requests  {state / rows:6.1f} bytes a row",
        flush=True,
    )


if __name__ == "__main__":
    main()
