"""The rows of the table: what is measured, against what, and the budget."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from benchmarks import data
from benchmarks.loopback import served, told
from benchmarks.measure import (
    Result,
    Row,
    Run,
    Size,
    Skipped,
    baseline,
    connector,
    environment,
    in_turn,
    python,
    run,
)
from benchmarks.postgres_source import p8
from benchmarks.posting import p5
from benchmarks.rivals import p4, p6


def compared(size: Size, folder: Path, rows: int) -> Path:
    """A project with so many users synced, and a table in which one in a hundred has changed."""
    shutil.rmtree(folder, ignore_errors=True)
    data.users(folder, rows)
    data.users(folder, rows, table="changed", changed=True)
    data.project(folder, data.USERS_MAPPING)
    run(connector("sync", "--rebaseline", "-q"), folder)
    return folder


def p1_and_p2(size: Size, folder: Path) -> list[Result | Skipped]:
    """Comparing users: one in a hundred changed, and nothing changed."""
    compared(size, folder, size.users)
    join = f"{size.users:,} users of 10 fields"
    memory: list[float] = []

    def sync() -> float:
        return run(connector("sync", "-q"), folder).wall

    unchanged, bare = in_turn(size.rounds, sync, lambda: baseline("join", folder))
    data.swap(folder)

    def plan() -> float:
        found = run(connector("plan", "--json", "-q"), folder)
        memory.append(found.memory)
        return found.wall

    changed, bare_too = in_turn(size.rounds, plan, lambda: baseline("join", folder))
    within = changed / bare_too <= 2.5 and max(memory) < 1536
    outer = "bare DuckDB full outer join, all columns compared"
    return [
        Result("P1", f"plan, 1 % changed: {join}", outer, "s", changed, bare_too,
               changed / bare_too, "<= 2.5, < 1.5 GB", within, f"{max(memory):.0f} MB"),
        Result("P2", f"sync from a cold start, nothing changed: {join}", outer, "s", unchanged,
               bare, unchanged / bare, "<= 2.5", unchanged / bare <= 2.5),
    ]  # fmt: skip


def p3(size: Size, folder: Path) -> list[Result | Skipped]:
    """Events to a bare server."""
    shutil.rmtree(folder, ignore_errors=True)
    data.events(folder, size.events)
    with served() as port:
        data.project(folder, data.EVENTS_MAPPING, port=port)

        def sync() -> float:
            shutil.rmtree(folder / ".connector", ignore_errors=True)
            return _sending(run(connector("sync", "--json", "-q"), folder).output)

        ours, theirs = in_turn(size.rounds, sync, lambda: baseline("encode", folder))
    return [
        Result("P3", f"{size.events:,} events to a bare server", "bare DuckDB to_json, dropped",
               "s", ours, theirs, ours / theirs, "<= 3", ours / theirs <= 3)
    ]  # fmt: skip


def _sending(output: str) -> float:
    seconds: float = json.loads(output)["mappings"][0]["seconds"]
    return seconds


def p7(size: Size, folder: Path) -> list[Result | Skipped]:
    """How long the first sync takes until the first request."""
    shutil.rmtree(folder, ignore_errors=True)
    data.users(folder, size.first)
    times, memory = [], []
    with served() as port:
        data.project(folder, data.USERS_MAPPING, port=port)
        for _ in range(size.rounds):
            shutil.rmtree(folder / ".connector", ignore_errors=True)
            told(port)
            began = time.monotonic()
            memory.append(run(connector("sync", "-q"), folder).memory)
            times.append(told(port)["first"] - began)
    first = sorted(times)[len(times) // 2]
    return [
        Result("P7", f"first sync of {size.first:,} users, until the first request", "3 s", "s",
               first, 3.0, first / 3.0, "<= 1", first <= 3.0, f"{max(memory):.0f} MB")
    ]  # fmt: skip


def p9(size: Size, folder: Path) -> list[Result | Skipped]:
    """How long the command line takes to say something."""
    shutil.rmtree(folder, ignore_errors=True)
    demo = folder / "demo"
    data.users(demo, 100)
    data.project(demo, data.USERS_MAPPING)
    if size.demo:
        shutil.rmtree(demo)
        run(connector("demo", "--dir", str(demo), "--port", "0", "--no-wait"), folder)
        run(connector("demo", "--stop", "--dir", str(demo)), folder)
    results: list[Result | Skipped] = []
    for arguments, more in ((("--help",), 0.15), (("validate",), 0.6)):
        ours, theirs = in_turn(
            size.rounds,
            lambda given=arguments: run(connector(*given), demo).wall,  # type: ignore[misc]
            lambda: run(python("-c", "pass"), folder).wall,
        )
        results.append(
            Result("P9", f"connector {arguments[0]}", "python -c pass", "s", ours, theirs,
                   ours / theirs, f"+{more} s", ours - theirs <= more, f"+{ours - theirs:.2f} s")
        )  # fmt: skip
    return results


def p10(size: Size, folder: Path) -> list[Result | Skipped]:
    """Coverage, against counting non-null values: what the rows cost, without starting up."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, rows in (("all", size.users), ("none", 0)):
        data.wide(folder / name, rows)
        data.project(folder / name, data.WIDE_MAPPING)

    def coverage(name: str) -> float:
        return run(connector("coverage", "--no-quality", "--json"), folder / name).wall

    whole, start, theirs = in_turn(
        size.rounds,
        lambda: coverage("all"),
        lambda: coverage("none"),
        lambda: baseline("count", folder / "all"),
    )
    ours = max(whole - start, 0.001)
    return [
        Result("P10", f"coverage of {size.users:,} users of 20 fields, over that of none",
               "bare DuckDB count() of every column", "s", ours, theirs, ours / theirs, "<= 2",
               ours / theirs <= 2, f"{whole:.2f} s in all")
    ]  # fmt: skip


PLENTY = "8GB"


def p11(size: Size, folder: Path) -> list[Result | Skipped]:
    """How P1 grows where memory is no matter, and that it ends where memory is little."""
    results: list[Result | Skipped] = []
    before: tuple[int, Run] | None = None
    for rows in size.growth:
        compared(size, folder, rows)
        data.swap(folder)
        found = _planned(folder, PLENTY)
        if before is not None:
            factor = rows / before[0]
            time, memory = before[1].wall * factor, before[1].memory * factor
            within = found.wall / time <= 1.1 and found.memory / memory <= 1.1
            results.append(
                Result("P11", f"plan of {rows:,} users, 1 % changed", f"linear from {before[0]:,}",
                       "s", found.wall, time, found.wall / time, "<= 1.1, memory too", within,
                       f"{found.memory:.0f} MB, {found.memory / memory:.2f} of linear")
            )  # fmt: skip
        before = (rows, found)
    for limit, most in (("1GB", 1536), ("256MB", 768)):
        narrow, wide = _planned(folder, limit), _planned(folder, PLENTY)
        results.append(
            Result("P11", f"plan of {size.growth[-1]:,} users, CONNECTOR_MEMORY_LIMIT={limit}",
                   PLENTY, "MB", narrow.memory, wide.memory, narrow.memory / wide.memory,
                   f"ends, < {most} MB", narrow.memory < most,
                   f"{narrow.wall / wide.wall:.2f} x the time")
        )  # fmt: skip
    return results


def _planned(folder: Path, limit: str) -> Run:
    return run(connector("plan", "--json", "-q"), folder, environment(CONNECTOR_MEMORY_LIMIT=limit))


ROWS: dict[str, Row] = {
    "P1": p1_and_p2, "P3": p3, "P4": p4, "P5": p5, "P6": p6, "P7": p7, "P8": p8, "P9": p9,
    "P10": p10, "P11": p11,
}  # fmt: skip
