"""Whole processes, timed from outside, in turn: figures of a noisy machine that can be compared."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


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
    """A row that could not be measured here, and why."""

    name: str
    work: str
    why: str


def run(command: Sequence[str], cwd: Path) -> Run:
    """Run a command to its end. Raises CalledProcessError when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def python(*arguments: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *arguments]


def connector(*arguments: str) -> list[str]:
    """A command of ours."""
    return python("-m", "connector.cli", *arguments)


def in_turn(
    rounds: int, ours: Callable[[], float], theirs: Callable[[], float]
) -> tuple[float, float]:
    """Medians of both, measured one after the other so that a slow minute slows both."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
