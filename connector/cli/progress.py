"""Who watches a run for people: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from connector.cli.log import Log
from connector.cli.words import duration, fit

if TYPE_CHECKING:
    from connector.destination.work import Progress
    from connector.report import MappingReport
    from connector.sync import Observer

EVERY = 5.0
"""Seconds between two lines."""


@contextmanager
def watching(mappings: int, log: Log, *, verbose: bool) -> Iterator[Observer]:
    """An observer of a run over so many mappings."""
    if log.quiet or log.as_json or verbose or not sys.stderr.isatty():
        yield Lines(log, every=EVERY, verbose=verbose or log.as_json)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
        refresh_per_second=5,
        transient=True,
        redirect_stdout=False,
    )
    with bar:
        yield Bar(bar, mappings)


class Bar:
    """One line on a terminal: which mapping, rows, rate, and how long it will take."""

    def __init__(self, bar: Any, mappings: int) -> None:
        self._bar = bar
        self._mappings = mappings
        self._begun = 0
        self._rows = 0
        self._task = bar.add_task("", total=None, note="")

    def started(self, name: str) -> None:
        """Being read and compared."""
        self._begun += 1
        self._bar.reset(
            self._task,
            total=None,
            description=f"{self._begun}/{self._mappings} {fit(name)}",
            note="reading and comparing",
        )

    def sending(self, _name: str, rows: int) -> None:
        """The bar has an end now."""
        self._rows = rows
        self._bar.update(self._task, total=rows, note=f"0 of {rows:,} rows")

    def progress(self, _name: str, progress: Progress) -> None:
        """Rows, rate, time left."""
        self._bar.update(self._task, completed=progress.settled, note=_note(progress, self._rows))

    def finished(self, report: MappingReport) -> None:
        """The next one follows."""


class Lines:
    """A line of log every few seconds."""

    def __init__(self, log: Log, *, every: float, verbose: bool) -> None:
        self._log = log
        self._every = every
        self._verbose = verbose
        self._rows = 0
        self._last = time.monotonic()

    def started(self, name: str) -> None:
        """Being read and compared."""
        self._last = time.monotonic()
        if self._verbose:
            self._log.info(f"{name}: reading and comparing", event="started", mapping=name)

    def sending(self, name: str, rows: int) -> None:
        """So many rows to go."""
        self._rows = rows
        if self._verbose:
            self._log.info(f"{name}: sending {rows:,} rows", event="sending", mapping=name, of=rows)

    def progress(self, name: str, progress: Progress) -> None:
        """At most one line in `every` seconds."""
        if time.monotonic() - self._last < self._every:
            return
        self._last = time.monotonic()
        self._log.info(
            f"{name}: {_note(progress, self._rows)}",
            event="progress",
            mapping=name,
            rows=progress.settled,
            of=self._rows,
            rate=round(progress.rate, 1),
            seconds_left=_seconds_left(progress, self._rows),
            in_flight=progress.in_flight,
            throttled=progress.throttled,
        )

    def finished(self, report: MappingReport) -> None:
        """Through, and how."""
        if self._verbose:
            self._log.info(
                f"{report.name}: {report.status} after {duration(report.seconds)}",
                event="finished",
                mapping=report.name,
                status=str(report.status),
                seconds=round(report.seconds, 3),
                pending=report.pending,
                rejected=report.rejected,
            )


def _seconds_left(progress: Progress, rows: int) -> float | None:
    return round((rows - progress.settled) / progress.rate, 1) if progress.rate > 0 else None


def _note(progress: Progress, rows: int) -> str:
    parts = [f"{progress.settled:,} of {rows:,} rows", f"{progress.rate:,.0f} a second"]
    left = _seconds_left(progress, rows)
    if left is not None:
        parts.append(f"{duration(left)} left")
    if progress.throttled:
        parts.append("throttled")
    return ", ".join(parts)
