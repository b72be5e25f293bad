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
        self.rates: dict[str, list[float]] = {}
        self._planned = 0
        self._said = 0.0

    def started(self, name: str) -> None:
        """A mapping is being read and compared."""
        self.lines.put(f"{name}: reading and comparing")

    def sending(self, name: str, rows: int) -> None:
        """So many rows are about to be sent."""
        self._planned, self._said = rows, time.monotonic()
        self.lines.put(f"{name}: sending {rows:,} rows")

    def progress(self, name: str, progress: Progress) -> None:
        """Some of them have arrived."""
        self.rates.setdefault(name, []).append(progress.rate)
        now = time.monotonic()
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
    cancelled: Callable[[Sequence[MappingReport]], None],
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
                cancelled(future.result().mappings)
            raise
        return future.result()
