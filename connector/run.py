"""What the mappings of one run share, and how each of them is recorded."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from connector.control.store import ControlStore
from connector.destination.target import Target
from connector.destination.work import Progress
from connector.errors import (
    ConfigError,
    ConnectorError,
    DestinationError,
    GuardTripped,
    Locked,
    SourceError,
    StateError,
    UsageError,
)
from connector.mapping.mapping import Mapping
from connector.project import Project
from connector.report import Guard, MappingReport, Status
from connector.snapshot.store import StatePaths
from connector.stop import Stop

if TYPE_CHECKING:
    from connector.follow import Following


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How a sync differs from the usual one.

    `allow_deletes` lets at most so many deletes through the guards; `limit` sends at most so many
    rows of each mapping, the rest stays pending.
    """

    full_refresh: bool = False
    rebaseline: bool = False
    allow_deletes: int | None = None
    limit: int | None = None


DEFAULTS = SyncOptions()


class Observer(Protocol):
    """Who watches a run: a progress bar, a log, Dagster."""

    def started(self, name: str) -> None:
        """A mapping is being read and compared."""
        ...

    def sending(self, name: str, rows: int) -> None:
        """So many rows are about to be sent."""
        ...

    def progress(self, name: str, progress: Progress) -> None:
        """Some of them have arrived."""
        ...

    def finished(self, report: MappingReport) -> None:
        """A mapping is through."""
        ...


class Nobody:
    """Watches nothing."""

    def started(self, name: str) -> None:
        """Not looked at."""

    def sending(self, name: str, rows: int) -> None:
        """Not looked at."""

    def progress(self, name: str, progress: Progress) -> None:
        """Not looked at."""

    def finished(self, report: MappingReport) -> None:
        """Not looked at."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the mappings of one run share."""

    project: Project
    target: Target
    control: ControlStore
    run_id: str
    options: SyncOptions
    stop: Stop
    observer: Observer
    held: Callable[[], bool] | None = None
    """While it says so, nothing is sent."""
    following: Following | None = None
    """The plan that is followed, if one is."""

    @contextmanager
    def with_own_stop(self) -> Iterator[Run]:
        """The same run with a stop of its own, which the run's stop requests too."""
        stop = Stop()
        with self.stop.interrupting(stop.request):
            if self.stop.requested:
                stop.request()
            yield replace(self, stop=stop)

    def paths(self, mapping: Mapping) -> StatePaths:
        """Where a mapping keeps its state for this target."""
        return StatePaths(self.project.state_path / self.target.name, mapping.name)


def open_run(
    project: Project,
    target: Target,
    *,
    options: SyncOptions = DEFAULTS,
    stop: Stop | None = None,
    observer: Observer | None = None,
) -> Run:
    """Begin a run; its control store is to be closed at the end.

    Raises:
        StateError: the control store cannot be used.
    """
    control = ControlStore(project.state_path / target.name, target.name, project.control_url)
    return Run(
        project,
        target,
        control,
        run_id=secrets.token_hex(8),
        options=options,
        stop=stop or Stop(),
        observer=observer or Nobody(),
    )


def fail(report: MappingReport, error: ConnectorError) -> None:
    """Say in a report why a mapping could not be done."""
    by_error = {GuardTripped: Status.BLOCKED, Locked: Status.LOCKED}
    report.status = by_error.get(type(error), Status.FAILED)
    report.error, report.hint = error.message, error.hint
    report.lasting = isinstance(error, ConfigError | DestinationError | UsageError)
    report.transient = isinstance(error, StateError) or (
        isinstance(error, SourceError) and error.transient
    )
    if isinstance(error, GuardTripped):
        report.guard = Guard(error.guard, error.numbers, error.deletes)


def record(run: Run, number: int, report: MappingReport) -> None:
    """Keep the report of a run that was noted as number so and so when it began."""
    # Keys and values of single rows stay out: the control store is not purged by erasures.
    error = report.guard.numbers if report.guard else report.error
    document = report.to_json() | {"rejects": [], "error": error}
    run.control.finish_run(
        number,
        status=str(report.status),
        pending=report.pending,
        rejected=report.rejected,
        seconds=report.seconds,
        report=document,
        error=error,
    )


def too_many(mapping: Mapping, report: MappingReport) -> bool:
    """Whether more rows were rejected than the mapping takes."""
    return report.rejected * 100 > mapping.max_reject_percent * max(report.rows.source, 1)
