"""Users one a request, against the fastest load generator there is."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from benchmarks import data
from benchmarks.loopback import served
from benchmarks.measure import (
    FailedError,
    Result,
    Size,
    Skipped,
    baseline,
    connector,
    in_turn,
    run,
)

LUA = 'wrk.method = "POST"\nwrk.body = \'{"uid":"user_1","country":"US","total_orders":3}\'\n'
CONNECTIONS = 64


def p5(size: Size, folder: Path) -> list[Result | Skipped]:
    """Requests a second of a sync, of wrk, and of a protocol written by hand."""
    work = f"{size.posts:,} users, one a request"
    shutil.rmtree(folder, ignore_errors=True)
    data.users(folder, size.posts)
    (folder / "post.lua").write_text(LUA)
    hand = "a protocol written by hand on uvloop, no HTTP library"
    with served() as port:
        data.project(folder, data.USERS_MAPPING, port=port)
        ways = [
            lambda: _sync(folder, size.posts),
            lambda: baseline("protocol", port, CONNECTIONS, size.seconds),
        ]
        if shutil.which("wrk"):
            ways.append(lambda: _wrk(folder, port, size.seconds))
        ours, by_hand, *by_wrk = in_turn(size.rounds, *ways)
    found: list[Result | Skipped] = [
        Result("P5", work, "wrk, 64 connections", "requests/s", ours, wrk, ours / wrk, ">= 0.15",
               ours / wrk >= 0.15)
        for wrk in by_wrk
    ]  # fmt: skip
    if not by_wrk:
        why = "wrk is not installed (Debian: apt-get install wrk)"
        found.append(Skipped("P5", f"{work}, against wrk", why))
    found.append(
        Result("P5", work, hand, "requests/s", ours, by_hand, ours / by_hand, "none", passed=True)
    )
    return found


def _sync(folder: Path, rows: int) -> float:
    shutil.rmtree(folder / ".connector", ignore_errors=True)
    report = json.loads(run(connector("sync", "--json", "-q"), folder).output)
    return rows / float(report["mappings"][0]["http"]["seconds"])


def _wrk(folder: Path, port: int, seconds: int) -> float:
    url = f"http://127.0.0.1:{port}/v1/users"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", "post.lua", url]
    output = run(command, folder).output
    found = re.search(r"Requests/sec: *([\d.]+)", output)
    if found is None:
        raise FailedError(f"wrk said {output}")
    return float(found[1])
