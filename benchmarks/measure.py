"""Whole processes, timed from outside, in turn: figures of a noisy machine that can be compared."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Size:
    """How much is measured: the whole, or a small version that shows that it works."""

    users: int = 10_000_000
    events: int = 1_000_000
    posts: int = 100_000
    slow_posts: int = 20_000
    first: int = 1_000_000
    extracted: int = 1_000_000
    growth: tuple[int, ...] = (1_000_000, 3_000_000, 10_000_000, 30_000_000)
    rounds: int = 3
    seconds: int = 3  # that a load generator runs
    peers: int = 1  # their rows are divided by this; 0 leaves them out
    demo: bool = True  # validate the demo, or else a project of one mapping


SMALL = Size(
    users=20_000, events=5_000, posts=2_000, slow_posts=400, first=5_000, extracted=5_000,
    growth=(5_000, 10_000), rounds=1, seconds=1, peers=200, demo=False,
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One process: wall and processor seconds, peak memory in MB, what it printed."""

    wall: float
    cpu: float
    memory: float
    output: str


@dataclass(frozen=True)
class Result:
    """One row of the table. `ours` and `baseline` in `unit`; `passed` is the budget's verdict."""

    name: str
    work: str
    baseline: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    budget: str
    passed: bool
    note: str = ""


@dataclass(frozen=True)
class Skipped:
    """A row that could not be measured here, and why; `failed` when it should have been."""

    name: str
    work: str
    why: str
    failed: bool = False


class FailedError(Exception):
    """A process that was to be measured came to nothing; its text says how."""


Row = Callable[[Size, Path], "list[Result | Skipped]"]


def environment(**more: str) -> dict[str, str]:
    """What a process of ours finds; that compiled modules are kept, as they are for anybody."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(ROOT)} | more


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end. Raises FailedError when it does not succeed."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=env or environment(),
    )  # fmt: skip
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise FailedError(f"{' '.join(command)} exited with {process.returncode}: {output[-2000:]}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def python(*arguments: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *arguments]


def connector(*arguments: str) -> list[str]:
    """A command of ours."""
    return python("-m", "connector.cli", *arguments)


def baseline(name: str, *arguments: object) -> float:
    """The figure that a baseline prints."""
    return float(run(python("-m", "benchmarks.baselines", name, *map(str, arguments)), ROOT).output)


def in_turn(rounds: int, *ways: Callable[[], float]) -> list[float]:
    """The median of each way, measured one after the other so that a slow minute slows all."""
    found = [[way() for way in ways] for _ in range(rounds)]
    return [statistics.median(figures) for figures in zip(*found, strict=True)]
