"""Rows against what others do with the same rows on the same server."""

from __future__ import annotations

import json
import shutil
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import data
from benchmarks.environments import UnavailableError, interpreter, surroundings
from benchmarks.loopback import served, told
from benchmarks.measure import (
    FailedError,
    Result,
    Run,
    Size,
    Skipped,
    baseline,
    connector,
    in_turn,
    run,
)
from connector.sandbox import Handle, Settings, spawn


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
    Peer("dlt", "dlt, custom destination, 20 workers", "events-plain", 1_000_000, 1000),
    Peer("dlt", "dlt, tuned as told below", "events", 1_000_000, 1000),
    Peer("drt", "drt, REST destination", "events", 100_000, 1000),
    Peer("segment", "Segment's SDK", "events", 100_000, 100),
    Peer("mixpanel", "Mixpanel's SDK", "events", 100_000, 50),
)
USERS = (
    Peer("dlt", "dlt, one worker", "users", 500),
    Peer("drt", "drt, REST destination", "users", 300),
    Peer("dlt", "dlt, 20 workers, out of order", "users-parallel", 2_000, ordered=False),
)


@dataclass(frozen=True)
class Ground:
    """Where all of them send the same rows, and what each run of one cost per row in µs."""

    size: Size
    folder: Path
    port: int
    spent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def ours(self, rows: int) -> float:
        """Rows a second of a first sync: reading, comparing, sending and acknowledging."""
        shutil.rmtree(self.folder / ".connector", ignore_errors=True)
        found = run(connector("sync", "--json", "-q"), self.folder)
        self.spent["ours"].append(found.cpu / rows * 1e6)
        return rows / float(json.loads(found.output)["mappings"][0]["seconds"])

    def theirs(self, peer: Peer) -> float:
        """The rate that a peer's script prints, once all its requests have come."""
        rows = peer.rows // self.size.peers
        told(self.port)
        found = _run_peer(peer, rows, self.folder, self.port)
        requests = told(self.port)["count"]
        if requests < rows / peer.batch:
            raise FailedError(f"{peer.name} sent {requests} requests for {rows} rows")
        self.spent[peer.name].append(found.cpu / rows * 1e6)
        return float(found.output.splitlines()[-1])

    def cost(self, peer: Peer) -> str:
        """Processor time a row, which says more than a rate where other work disturbs."""
        ours, theirs = (statistics.median(self.spent[name]) for name in ("ours", peer.name))
        return f"processor {ours:.1f} µs a row, theirs {theirs:.1f}"


def _run_peer(peer: Peer, rows: int, folder: Path, port: int) -> Run:
    for left in ("home", "dlt", "drt"):
        shutil.rmtree(folder / left, ignore_errors=True)
    home = folder / "home"
    home.mkdir()
    python, script = interpreter(peer.environment), f"benchmarks.peers.with_{peer.environment}"
    command = [str(python), "-m", script, str(port), peer.kind, str(rows)]
    return run(command, folder, surroundings(home))


def p4(size: Size, folder: Path) -> list[Result | Skipped]:
    """Events, against dlt, drt and two vendors' SDKs."""
    work = f"{size.events:,} events to a bare server"
    shutil.rmtree(folder, ignore_errors=True)
    data.events(folder, size.events)
    with served() as port:
        data.project(folder, data.EVENTS_MAPPING, port=port)
        bare = _against(EVENTS, Ground(size, folder, port), size.events, work, 10)
    return [*bare, _at_the_sandbox(size, folder)]


def _at_the_sandbox(size: Size, folder: Path) -> Result | Skipped:
    """Fewer events, to an API that checks and keeps each of them, which is what takes the time."""
    peer, rows = EVENTS[0], size.events // 5
    work = f"{rows:,} events to the sandbox"
    if why := _missing(peer, size):
        return Skipped("P4", f"{work}, against {peer.name}", why)
    shutil.rmtree(folder, ignore_errors=True)
    data.events(folder, rows)

    def ours() -> float:
        with spawn(Settings(api_key=data.API_KEY)) as far:
            data.project(folder, data.EVENTS_MAPPING, port=far.port)
            return _once_all_came(far, Ground(size, folder, far.port).ours(rows), rows)

    def theirs() -> float:
        with spawn(Settings(api_key=data.API_KEY)) as far:
            found = _run_peer(peer, rows, folder, far.port)
            return _once_all_came(far, float(found.output.splitlines()[-1]), rows)

    us, them = in_turn(size.rounds, ours, theirs)
    return Result("P4", work, peer.name, "rows/s", us, them, us / them, "none", passed=True)


def _once_all_came(far: Handle, rate: float, rows: int) -> float:
    if (came := far.counts()["events"]) != rows:
        raise FailedError(f"{came:,} of {rows:,} events are in the sandbox")
    return rate


def p6(size: Size, folder: Path) -> list[Result | Skipped]:
    """Users against an API that answers in 20 ms."""
    work = f"{size.slow_posts:,} users, API answering in 20 ms"
    shutil.rmtree(folder, ignore_errors=True)
    data.users(folder, size.slow_posts)
    with served(0.02) as port:
        data.project(folder, data.USERS_MAPPING, port=port)
        ground = Ground(size, folder, port)
        ours, theirs = in_turn(
            size.rounds,
            lambda: ground.ours(size.slow_posts),
            lambda: baseline("serial", port, size.slow_posts // 100),
        )
        serial = Result("P6", work, "a serial client of the standard library", "rows/s", ours,
                        theirs, ours / theirs, ">= 50", ours / theirs >= 50)  # fmt: skip
        return [serial, *_against(USERS, ground, size.slow_posts, work, 50)]


def _against(
    peers: tuple[Peer, ...], ground: Ground, rows: int, work: str, budget: float
) -> list[Result | Skipped]:
    """One row a peer, all measured in turn with ours."""
    name = ground.folder.name
    missing = {peer: _missing(peer, ground.size) for peer in peers}
    present = [peer for peer, why in missing.items() if not why]
    ways = [lambda peer=peer: ground.theirs(peer) for peer in present]
    found: list[Result | Skipped] = [
        Skipped(name, f"{work}, against {peer.name}", why) for peer, why in missing.items() if why
    ]
    if not present:
        return found
    ours, *rates = in_turn(ground.size.rounds, lambda: ground.ours(rows), *ways)
    for peer, theirs in zip(present, rates, strict=True):
        found.append(
            Result(name, work, peer.name, "rows/s", ours, theirs, ours / theirs,
                   f">= {budget:g}" if peer.ordered else "none",
                   not peer.ordered or ours / theirs >= budget,
                   ground.cost(peer) if peer.kind.startswith("events") else "")
        )  # fmt: skip
    return found


def _missing(peer: Peer, size: Size) -> str:
    """Why a peer cannot be measured; empty when it can."""
    if not size.peers:
        return "peers were left out (--no-peers)"
    try:
        interpreter(peer.environment)
    except UnavailableError as error:
        return str(error)
    return ""
