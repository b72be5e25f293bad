"""What a command did, as plain values and as the JSON that scripts build on (schema_version 1)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from connector.windows import Span, stamp

SCHEMA_VERSION = 1

OPERATIONS = ("upsert", "soft_delete", "hard_delete", "event")

MAX_SAMPLES = 100
"""How many rejects a report shows."""


class Status(StrEnum):
    """How a mapping fared."""

    DONE = "done"
    INCOMPLETE = "incomplete"
    BLOCKED = "blocked"
    FAILED = "failed"
    LOCKED = "locked"


@dataclass(slots=True)
class Rows:
    """Rows of the source that were not sent, and how many there were in all."""

    source: int = 0
    unchanged: int = 0
    rejected: int = 0
    suppressed: int = 0
    skipped: int = 0


@dataclass(slots=True)
class Operation:
    """Changes of one kind; `reasons` says why they were planned."""

    planned: int = 0
    acknowledged: int = 0
    rejected: int = 0
    pending: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Http:
    """What it took on the wire; `seconds` is from the first row handed out to the last settled."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RejectSample:
    """One rejected row; its key is null where that is what is wrong."""

    key: str | None
    code: str
    field: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What sending would take: requests, and seconds at the quota (None without one)."""

    requests: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class ChangeSample:
    """One row that would be sent, and why; `fields` are those that changed, where known.

    `before` and `after` are there when the snapshot keeps payloads.
    """

    key: str
    operation: str
    reason: str
    fields: tuple[str, ...] = ()
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Lag:
    """Seconds from the cursor of an event to its acknowledgement, over those of one run."""

    rows: int
    max: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far behind an incremental mapping is.

    `watermark` is how far the cursor came (naive UTC), `behind_seconds` how long ago that was when
    the run ended; `lag_seconds` is of the events acknowledged in the run, if any.
    """

    watermark: datetime | None
    behind_seconds: float | None
    lag_seconds: Lag | None

    def to_json(self) -> dict[str, Any]:
        """The mapping's `freshness`."""
        return asdict(self) | {"watermark": self.watermark and stamp(self.watermark)}


class ChunkStatus(StrEnum):
    """How a window of a backfill stands; `before` was done by an earlier run, `left` is to do."""

    BEFORE = "before"
    DONE = "done"
    INCOMPLETE = "incomplete"
    LEFT = "left"


@dataclass(slots=True)
class ChunkReport:
    """One window of a backfill.

    `rows` are those of the source, `known` those of them that had been sent before.
    """

    window: Span
    status: ChunkStatus = ChunkStatus.LEFT
    rows: int = 0
    planned: int = 0
    acknowledged: int = 0
    rejected: int = 0
    known: int = 0
    requests: int = 0
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The window's part of the report."""
        document = asdict(self)
        del document["window"]
        ends = {"from": stamp(self.window.start), "to": stamp(self.window.end)}
        return ends | document | {"status": str(self.status)}


@dataclass(slots=True)
class Recommendations:
    """How the requests of a recommendations mapping fared.

    `answered` counts those of this run, `written` the rows put where the mapping wants them:
    answers that an earlier run had to leave included. `round` names what one pass over the source
    began; a run that was cut short is gone on with under the same name.
    """

    round: str = ""
    planned: int = 0
    answered: int = 0
    rejected: int = 0
    pending: int = 0
    written: int = 0
    write_to: str = ""


@dataclass(frozen=True, slots=True)
class Guard:
    """The guard that stopped a mapping, without keys: its name, what it saw, and how many deletes
    would have to be allowed to let it through."""

    name: str
    numbers: str
    deletes: int


@dataclass(slots=True)
class MappingReport:
    """How one mapping fared in one run."""

    name: str
    kind: str
    status: Status = Status.DONE
    rows: Rows = field(default_factory=Rows)
    changes: dict[str, Operation] = field(
        default_factory=lambda: {name: Operation() for name in OPERATIONS}
    )
    rejects: list[RejectSample] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What is odd about the data, and keeps nothing from being sent."""
    http: Http = field(default_factory=Http)
    seconds: float = 0.0
    error: str | None = None
    hint: str | None = None
    lasting: bool = False
    """Whether the error is there to stay until somebody mends what it names."""
    transient: bool = False
    """Whether the error may pass by itself: the source or the state is away or busy."""
    guard: Guard | None = None
    too_many_rejects: bool = False
    outage: bool = False
    """The API was away, or wanted more patience than the target's `max_wait`."""
    forecast: Forecast | None = None
    samples: list[ChangeSample] = field(default_factory=list)
    changed_fields: dict[str, int] = field(default_factory=dict)
    adopted: int = 0
    types: dict[str, int] = field(default_factory=dict)
    """Events to be sent, by type."""
    fields: dict[str, str] = field(default_factory=dict)
    """The type of each field that is sent, once the mapping is bound to its source."""
    freshness: Freshness | None = None
    chunks: list[ChunkReport] | None = None
    """The windows of a backfill."""
    recommendations: Recommendations | None = None

    @property
    def pending(self) -> int:
        """Changes or requests that were planned and are neither acknowledged nor rejected."""
        requests = self.recommendations.pending if self.recommendations else 0
        return requests + sum(operation.pending for operation in self.changes.values())

    @property
    def planned(self) -> int:
        """Changes in all."""
        return sum(operation.planned for operation in self.changes.values())

    @property
    def rejected(self) -> int:
        """Rows refused, before sending or by the API."""
        by_api = sum(operation.rejected for operation in self.changes.values())
        by_api += self.recommendations.rejected if self.recommendations else 0
        return self.rows.rejected + by_api

    @property
    def exit_code(self) -> int:
        """The exit code of a run of this mapping alone (DESIGN section 5)."""
        by_status = {Status.FAILED: 1, Status.LOCKED: 6, Status.BLOCKED: 5, Status.INCOMPLETE: 4}
        return by_status.get(self.status, 3 if self.too_many_rejects else 0)

    def to_json(self, *, plan: bool = False) -> dict[str, Any]:
        """The mapping's part of the report."""
        document: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "status": str(self.status),
            "rows": asdict(self.rows),
            "changes": {
                name: _operation(operation, plan=plan) for name, operation in self.changes.items()
            },
            "rejects": [asdict(sample) for sample in self.rejects[:MAX_SAMPLES]],
            "http": asdict(self.http),
            "seconds": round(self.seconds, 3),
            "error": self.error,
            "hint": self.hint,
        }
        if plan:
            document["forecast"] = asdict(self.forecast) if self.forecast else None
            document["changed_fields"] = self.changed_fields
            document["samples"] = [asdict(sample) for sample in self.samples]
        if self.warnings:
            document["warnings"] = self.warnings
        if self.too_many_rejects:
            document["too_many_rejects"] = True
        if self.adopted:
            document["adopted"] = self.adopted
        if self.types:
            document["types"] = self.types
        if self.chunks is not None:
            document["chunks"] = [chunk.to_json() for chunk in self.chunks]
            document["forecast"] = asdict(self.forecast) if self.forecast else None
        if self.recommendations:
            document["recommendations"] = asdict(self.recommendations)
        if self.guard:
            document["guard"] = asdict(self.guard)
        if self.freshness:
            document["freshness"] = self.freshness.to_json()
        return document


def _operation(operation: Operation, *, plan: bool) -> dict[str, Any]:
    if plan:
        return {"planned": operation.planned, "reasons": operation.reasons}
    document = asdict(operation)
    del document["reasons"]
    return document


_EXIT_ORDER = (1, 6, 5, 4, 3)
"""With several mappings, the first of these that applies."""


@dataclass(slots=True)
class RunReport:
    """How a run over several mappings went."""

    command: str
    run_id: str
    target: str
    mappings: list[MappingReport] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """Who could not be told of the run, and why; none of it changes what was delivered."""
    plan_file: str | None = None
    """Where a plan was written that a sync can follow."""

    def of(self, name: str) -> MappingReport:
        """The part of one mapping."""
        return next(entry for entry in self.mappings if entry.name == name)

    @property
    def exit_code(self) -> int:
        """The run's exit code (DESIGN section 5)."""
        codes = {mapping.exit_code for mapping in self.mappings}
        return next((code for code in _EXIT_ORDER if code in codes), 0)

    def to_json(self) -> dict[str, Any]:
        """The whole report as one JSON document."""
        plan = self.command == "plan"
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "command": self.command,
            "run_id": self.run_id,
            "target": self.target,
            "exit_code": self.exit_code,
            "mappings": [mapping.to_json(plan=plan) for mapping in self.mappings],
        }
        if self.plan_file:
            document["plan_file"] = self.plan_file
        return document | ({"warnings": self.warnings} if self.warnings else {})
