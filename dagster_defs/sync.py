"""A sync inside a Dagster run: in a thread of its own, so that cancelling ends it cleanly."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import dagster as dg
from pydantic import Field

from connector.destination.work import Progress
from connector.report import MappingReport, RunReport
from connector.stop import Stop
from connector.sync import Observer, SyncOptions

LOG_EVERY = 10.0
"""Seconds between two lines of progress."""

MOST_SAMPLES = 2_000
"""Of a long run every other sample is forgotten, again and again."""


class SyncConfig(dg.Config):
    """How a run differs from the usual one; all of it is left out of scheduled runs."""

    full_refresh: bool = Field(
        default=False, description="Read everything and send every row again, deletes included."
    )
    rebaseline: bool = Field(
        default=False, description="Take what the source holds as sent, without sending it."
    )
    allow_deletes: int | None = Field(
        default=None, ge=0, description="Let at most so many deletes through the guards, once."
    )

    def options(self) -> SyncOptions:
        """The same for the connector."""
        return SyncOptions(
            full_refresh=self.full_refresh,
            rebaseline=self.rebaseline,
            allow_deletes=self.allow_deletes,
        )


class RunLog(Observer):
    """Turns what a sync says on its way into lines of the run's log."""

    def __init__(self) -> None:
        self.lines: SimpleQueue[str | Callable[[], None] | None] = SimpleQueue()
        """Lines, and what else the step's own thread is to do; None is the end."""
        self._paces: dict[str, list[tuple[float, int]]] = {}
        self._planned = 0
        self._began = 0.0
        self._said = 0.0

    def pace(self, name: str) -> Sequence[tuple[float, int]]:
        """How a mapping got on: seconds since it began to send, and rows settled by then."""
        return self._paces.get(name, [])

    def started(self, name: str) -> None:
        """A mapping is being read and compared."""
        self.lines.put(f"{name}: reading and comparing")

    def sending(self, name: str, rows: int) -> None:
        """So many rows are about to be sent."""
        self._planned = rows
        self._began = self._said = time.monotonic()
        self._paces[name] = [(0.0, 0)]
        self.lines.put(f"{name}: sending {rows:,} rows")

    def progress(self, name: str, progress: Progress) -> None:
        """Some of them have arrived."""
        now = time.monotonic()
        samples = self._paces.setdefault(name, [(0.0, 0)])
        samples.append((now - self._began, progress.settled))
        if len(samples) > MOST_SAMPLES:
            del samples[1::2]
        if now - self._said >= LOG_EVERY:
            self._said = now
            slowed = ", slowed down by the API" if progress.throttled else ""
            self.lines.put(
                f"{name}: {progress.settled:,} of {self._planned:,} rows, "
                f"{progress.rate:,.0f} a second{slowed}"
            )

    def finished(self, report: MappingReport) -> None:
        """A mapping is through."""
        self.lines.put(f"{report.name}: {report.status} after {report.seconds:.1f} s")


def run_watched(
    work: Callable[[Stop, Observer], RunReport],
    log: dg.DagsterLogManager,
    *,
    watcher: RunLog,
    cancelled: Callable[[RunReport], None],
) -> RunReport:
    """Do `work` in a thread, pass on what it says, and end it in order when the run is cancelled.

    Dagster interrupts the step's own thread. The sync is then asked to stop: it finishes what is in
    flight and journals it, and `cancelled` is told how far it came before the interrupt goes on its
    way.
    """
    stop = Stop()
    with ThreadPoolExecutor(1, thread_name_prefix="sync") as pool:
        future = pool.submit(work, stop, watcher)
        future.add_done_callback(lambda _: watcher.lines.put(None))
        try:
            while (line := watcher.lines.get()) is not None:
                if callable(line):
                    line()
                else:
                    log.info(line)
        except BaseException:
            stop.request()
            log.warning("cancelled: finishing what is in flight")
            if future.exception() is None:
                _warn(future.result(), log)
                cancelled(future.result())
            raise
        run = future.result()
        _warn(run, log)
        return run


def _warn(run: RunReport, log: dg.DagsterLogManager) -> None:
    for warning in run.warnings:
        log.warning(warning)
