"""The sync log: what was sent when, as tables of the warehouse that analysts can query.

`connector_runs` has a row for every mapping of every run, `connector_outcomes` one for each of its
operations. `connector_rejects` is what is rejected now: the rows of a mapping are replaced by every
run of it, so that whoever was erased is not in there either. A mapping without rejects has one row
that says so, with a count of 0. Of the data there are the keys of rejected rows, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from connector.control.store import ControlStore
from connector.errors import Locked
from connector.listeners.ended import Ended
from connector.listeners.settings import SyncLog
from connector.project import Project
from connector.report import OPERATIONS
from connector.snapshot.rejects import list_rejects, open_rejects
from connector.snapshot.store import StatePaths
from connector.source.write import Layout, Type, check_writable, write_table

MOST_REJECTS = 10_000
"""How many rejects of a mapping are logged."""

_ERROR_CHARACTERS = 500
_WHOSE = (
    ("entry", Type.TEXT),
    ("target", Type.TEXT),
    ("mapping", Type.TEXT),
    ("run_id", Type.TEXT),
)

RUNS = Layout(
    columns=(
        *_WHOSE,
        ("command", Type.TEXT),
        ("status", Type.TEXT),
        ("started_at", Type.TIME),
        ("finished_at", Type.TIME),
        ("seconds", Type.NUMBER),
        ("rows_read", Type.NUMBER),
        ("rows_unchanged", Type.NUMBER),
        ("rows_skipped", Type.NUMBER),
        ("rows_suppressed", Type.NUMBER),
        ("acknowledged", Type.NUMBER),
        ("rejected", Type.NUMBER),
        ("pending", Type.NUMBER),
        ("requests", Type.NUMBER),
        ("retries", Type.NUMBER),
        ("throttled", Type.NUMBER),
        ("error", Type.TEXT),
    ),
    key="entry",
)
OUTCOMES = Layout(
    columns=(
        *_WHOSE,
        ("finished_at", Type.TIME),
        ("operation", Type.TEXT),
        ("planned", Type.NUMBER),
        ("acknowledged", Type.NUMBER),
        ("rejected", Type.NUMBER),
        ("pending", Type.NUMBER),
    ),
    key="entry",
)
REJECTS = Layout(
    columns=(
        *_WHOSE,
        ("row_key", Type.TEXT),
        ("refused_by", Type.TEXT),
        ("code", Type.TEXT),
        ("field", Type.TEXT),
        ("status", Type.INTEGER),
        ("row_count", Type.NUMBER),
        ("attempts", Type.NUMBER),
        ("first_seen", Type.TIME),
        ("last_seen", Type.TIME),
    ),
    key="entry",
)

_ARROW = {
    Type.TEXT: pa.string(),
    Type.INTEGER: pa.int32(),
    Type.NUMBER: pa.float64(),
    Type.TIME: pa.timestamp("us", "UTC"),
}


def log_to_warehouse(project: Project, control: ControlStore, ended: list[Ended]) -> None:
    """Add a run to the log of the project.

    Raises:
        ConfigError: its source's settings are wrong.
        SourceError: the tables cannot be written.
        StateError: the rejects cannot be read.
    """
    log = project.sync_log
    if log is None:
        return
    settings = project.source(log.source)
    check_writable(settings)
    tables: tuple[tuple[str, Layout, Iterable[dict[str, Any]]], ...] = (
        ("connector_runs", RUNS, map(_run, ended)),
        ("connector_outcomes", OUTCOMES, _outcomes(ended)),
        ("connector_rejects", REJECTS, _rejects(project, control, ended)),
    )
    for name, layout, rows in tables:
        write_table(settings, _named(log, name), _arrow(layout, list(rows)), layout)


def _named(log: SyncLog, table: str) -> str:
    return f"{log.schema}.{table}" if log.schema else table


def _arrow(layout: Layout, rows: list[dict[str, Any]]) -> pa.RecordBatchReader:
    schema = pa.schema([(name, _ARROW[type_]) for name, type_ in layout.columns])
    return pa.Table.from_pylist(rows, schema=schema).to_reader()


def _whose(ended: Ended, entry: str) -> dict[str, Any]:
    return {
        "entry": entry,
        "target": ended.target,
        "mapping": ended.mapping,
        "run_id": ended.run_id,
    }


def _entry(ended: Ended) -> str:
    return f"{ended.run_id}/{ended.mapping}"


def _utc(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(tzinfo=UTC)


def _run(ended: Ended) -> dict[str, Any]:
    error = ended.error and ended.error.splitlines()[0][:_ERROR_CHARACTERS]
    return _whose(ended, _entry(ended)) | {
        "command": ended.command,
        "status": ended.status,
        "started_at": _utc(ended.started_at),
        "finished_at": _utc(ended.finished_at),
        "seconds": ended.seconds,
        "rows_read": ended.rows("source"),
        "rows_unchanged": ended.rows("unchanged"),
        "rows_skipped": ended.rows("skipped"),
        "rows_suppressed": ended.rows("suppressed"),
        "acknowledged": ended.acknowledged,
        "rejected": ended.rejected,
        "pending": ended.pending,
        "requests": ended.http("requests"),
        "retries": ended.http("retries"),
        "throttled": ended.http("throttled"),
        "error": error,
    }


def _outcomes(ended: list[Ended]) -> Iterator[dict[str, Any]]:
    for each in ended:
        for operation in OPERATIONS:
            if not each.changes(operation, "planned"):
                continue
            yield _whose(each, _entry(each)) | {
                "finished_at": _utc(each.finished_at),
                "operation": operation,
                "planned": each.changes(operation, "planned"),
                "acknowledged": each.changes(operation, "acknowledged"),
                "rejected": each.changes(operation, "rejected"),
                "pending": each.changes(operation, "pending"),
            }


def _rejects(
    project: Project, control: ControlStore, ended: list[Ended]
) -> Iterator[dict[str, Any]]:
    for each in ended:
        paths = StatePaths(project.state_path / control.target, each.mapping)
        whose = _whose(each, f"{each.target}/{each.mapping}")
        try:
            with open_rejects(paths) as store:
                if store is None:
                    continue
                found = list_rejects(store, limit=MOST_REJECTS)
        except Locked:
            continue  # its next run is under way already, and will log what it finds
        if not found:
            yield whose | {"row_count": 0}
        for reject in found:
            yield whose | {
                "row_key": reject["key"],
                "refused_by": reject["origin"],
                "code": reject["code"],
                "field": reject["field"] or None,
                "status": reject["status"],
                "row_count": reject["row_count"],
                "attempts": reject["attempts"],
                "first_seen": _utc(reject["first_seen"]),
                "last_seen": _utc(reject["last_seen"]),
            }
