"""A run of one mapping that came to its end, as the control store has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.control.history import earlier_runs, runs_of
from connector.control.store import ControlStore
from connector.listeners.settings import Event
from connector.report import OPERATIONS

_TROUBLE = {
    "failed": Event.FAILED,
    "incomplete": Event.INCOMPLETE,
    "blocked": Event.BLOCKED,
}


@dataclass(frozen=True, slots=True)
class Ended:
    """One mapping in one run; times are naive UTC.

    `report` is the mapping's part of the run's JSON; no key of a row is in it, nor in `error`.
    """

    number: int
    run_id: str
    target: str
    mapping: str
    command: str
    status: str
    started_at: datetime
    finished_at: datetime
    seconds: float
    pending: int
    rejected: int
    error: str | None
    report: Mapping[str, Any]

    @property
    def trouble(self) -> Event | None:
        """What is wrong, if anything is."""
        if self.status == "done":
            return Event.REJECTS if self.report.get("too_many_rejects") else None
        return _TROUBLE.get(self.status)

    def rows(self, name: str) -> int:
        """A count of `rows`: source, unchanged, rejected, suppressed or skipped."""
        return int(self.report.get("rows", {}).get(name, 0))

    def http(self, name: str) -> int:
        """A count of `http`: requests, retries or throttled."""
        return int(self.report.get("http", {}).get(name, 0))

    def changes(self, operation: str, outcome: str) -> int:
        """A count of `changes`: planned, acknowledged, rejected or pending."""
        return int(self.report.get("changes", {}).get(operation, {}).get(outcome, 0))

    @property
    def acknowledged(self) -> int:
        """Rows acknowledged, whatever was done with them."""
        return sum(self.changes(operation, "acknowledged") for operation in OPERATIONS)


def ended_in(control: ControlStore, run_id: str) -> list[Ended]:
    """The mappings of a run that came to their end.

    Raises:
        StateError: the control store cannot be used.
    """
    return [of_row(row) for row in runs_of(control, run_id)]


def before(control: ControlStore, ended: Ended, most: int) -> list[Ended]:
    """Earlier runs of the same mapping by the same command, the latest first.

    Raises:
        StateError: the control store cannot be used.
    """
    rows = earlier_runs(control, ended.mapping, ended.command, ended.number, most)
    return [of_row(row) for row in rows]


def of_row(row: Mapping[str, Any]) -> Ended:
    """A row of the control store's runs."""
    return Ended(
        number=row["id"],
        run_id=row["run_id"],
        target=row["target"],
        mapping=row["mapping"],
        command=row["command"],
        status=row["status"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        seconds=row["seconds"] or 0.0,
        pending=row["pending"],
        rejected=row["rejected"],
        error=row["error"],
        report=row["report"],
    )
