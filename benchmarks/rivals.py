"""Rows against what others do with the same rows on the same server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import data
from benchmarks.environments import UnavailableError, interpreter, surroundings
from benchmarks.loopback import served, told
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


@dataclass(frozen=True)
class Peer:
    """`rows` is how many it is given, so that it takes seconds; rates are what is compared.

    `batch` is how many rows it puts into a request.
    """

    environment: str
    name: str
    kind: str
    rows: int
    batch: int = 1
    ordered: bool = True


EVENTS = (
    Peer("dlt", "dlt, custom destination, 20 workers", "events", 1_000_000, 1000),
    Peer("drt", "drt, REST destination", "events", 100_000, 1000),
    Peer("segment", "Segment's SDK", "events", 100_000, 100),
    Peer("mixpanel", "Mixpanel's SDK", "events", 100_000, 50),
)
USERS = (
    Peer("dlt", "dlt, one worker", "users", 500),
    Peer("drt", "drt, REST destination", "users", 300),
    Peer("dlt", "dlt, 20 workers, out of order", "users-parallel", 2_000, ordered=False),
)


def p4(size: Size, folder: Path) -> list[Result | Skipped]:
    """Events, against dlt, drt and two vendors' SDKs."""
    work = f"{size.events:,} events to a bare server"
    shutil.rmtree(folder, ignore_errors=True)
    data.events(folder, size.events)
    with served() as port:
        data.project(folder, data.EVENTS_MAPPING, port=port)
        return _against(EVENTS, work, size, folder, port, 10, lambda: _rate(folder, size.events))


def p6(size: Size, folder: Path) -> list[Result | Skipped]:
    """Users against an API that answers in 20 ms."""
    work = f"{size.slow_posts:,} users, API answering in 20 ms"
    shutil.rmtree(folder, ignore_errors=True)
    data.users(folder, size.slow_posts)
    with served(0.02) as port:
        data.project(folder, data.USERS_MAPPING, port=port)

        def sync() -> float:
            return _rate(folder, size.slow_posts)

        ours, theirs = in_turn(
            size.rounds, sync, lambda: baseline("serial", port, size.slow_posts // 100)
        )
        serial = Result("P6", work, "a serial client of the standard library", "rows/s", ours,
                        theirs, ours / theirs, ">= 50", ours / theirs >= 50)  # fmt: skip
        return [serial, *_against(USERS, work, size, folder, port, 50, sync)]


def _against(
    peers: tuple[Peer, ...],
    work: str,
    size: Size,
    folder: Path,
    port: int,
    budget: float,
    ours: Callable[[], float],
) -> list[Result | Skipped]:
    """One row a peer, all measured in turn with ours."""
    name = folder.name
    skipped: list[Result | Skipped] = []
    present: list[Peer] = []
    for peer in peers:
        why = _missing(peer, size)
        if why:
            skipped.append(Skipped(name, f"{work}, against {peer.name}", why))
        else:
            present.append(peer)
    if not present:
        return skipped
    ways = [lambda peer=peer: _peer(peer, size, folder, port) for peer in present]
    rate, *rates = in_turn(size.rounds, ours, *ways)
    measured: list[Result | Skipped] = []
    for peer, theirs in zip(present, rates, strict=True):
        wanted = f">= {budget:g}" if peer.ordered else "none"
        measured.append(
            Result(name, work, peer.name, "rows/s", rate, theirs, rate / theirs, wanted,
                   not peer.ordered or rate / theirs >= budget)
        )  # fmt: skip
    return measured + skipped


def _missing(peer: Peer, size: Size) -> str:
    """Why a peer cannot be measured; empty when it can."""
    if not size.peers:
        return "peers were left out (--no-peers)"
    try:
        interpreter(peer.environment)
    except UnavailableError as error:
        return str(error)
    return ""


def _rate(folder: Path, rows: int) -> float:
    """Rows a second of a first sync: reading, comparing, sending and acknowledging."""
    shutil.rmtree(folder / ".connector", ignore_errors=True)
    report = json.loads(run(connector("sync", "--json", "-q"), folder).output)
    return rows / float(report["mappings"][0]["seconds"])


def _peer(peer: Peer, size: Size, folder: Path, port: int) -> float:
    """The rate that a peer's script prints, once all its requests have come."""
    rows = peer.rows // size.peers
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    for left in ("dlt", "drt"):
        shutil.rmtree(folder / left, ignore_errors=True)
    told(port)
    script = f"benchmarks.peers.with_{peer.environment}"
    command = [str(interpreter(peer.environment)), "-m", script, str(port), peer.kind, str(rows)]
    printed = run(command, folder, surroundings(home)).output
    requests = told(port)["count"]
    if requests < rows / peer.batch:
        raise FailedError(f"{peer.name} sent {requests} requests for {rows} rows")
    return float(printed.splitlines()[-1])
