"""The last run of every mapping as a Prometheus text file, for a node exporter to pick up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC
from pathlib import Path

from connector.control.history import ended_runs
from connector.control.store import ControlStore
from connector.errors import StateError
from connector.listeners.ended import Ended, of_row
from connector.report import OPERATIONS

_OUTCOMES = ("planned", "acknowledged", "rejected", "pending")

_GAUGES: tuple[tuple[str, str, Callable[[Ended], float]], ...] = (
    (
        "connector_last_run_timestamp_seconds",
        "When the last run ended.",
        lambda run: run.finished_at.replace(tzinfo=UTC).timestamp(),
    ),
    ("connector_last_run_success", "1 if all is well.", lambda run: run.trouble is None),
    ("connector_last_run_seconds", "How long it took.", lambda run: run.seconds),
    ("connector_rows_source", "Rows read.", lambda run: run.rows("source")),
    ("connector_rows_unchanged", "Rows as they were sent.", lambda run: run.rows("unchanged")),
    ("connector_rows_rejected", "Rows rejected.", lambda run: run.rejected),
    ("connector_rows_pending", "Rows left to be sent.", lambda run: run.pending),
    ("connector_requests", "Requests to the API.", lambda run: run.http("requests")),
    ("connector_retries", "Requests sent again.", lambda run: run.http("retries")),
    ("connector_throttled", "Requests over the quota.", lambda run: run.http("throttled")),
)


def write_metrics(file: Path, control: ControlStore) -> None:
    """Write the metrics of a target, whole or not at all.

    Raises:
        StateError: the file cannot be written, or the control store not be used.
    """
    runs = [of_row(row) for _, row in sorted(ended_runs(control).items())]
    successes = control.last_success()
    text = "".join(f"{line}\n" for line in _lines(runs))
    if successes:
        name = "connector_last_success_timestamp_seconds"
        text += _head(name, "When a run last came through.") + "".join(
            f"{name}{_labels(mapping=mapping, target=control.target)} "
            f"{moment.replace(tzinfo=UTC).timestamp():.3f}\n"
            for mapping, moment in sorted(successes.items())
        )
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        with suppress(OSError):  # where nothing can be written nothing was
            fresh.unlink(missing_ok=True)
        raise StateError(f"{file} cannot be written: {error.strerror}") from None


def _lines(runs: list[Ended]) -> Iterator[str]:
    for name, help_, value in _GAUGES:
        yield _head(name, help_).rstrip("\n")
        for run in runs:
            labels = _labels(mapping=run.mapping, target=run.target)
            yield f"{name}{labels} {float(value(run)):.3f}"
    name = "connector_changes"
    yield _head(name, "Changes of the last run, by operation and outcome.").rstrip("\n")
    for run in runs:
        for operation in OPERATIONS:
            for outcome in _OUTCOMES:
                labels = _labels(
                    mapping=run.mapping, target=run.target, operation=operation, outcome=outcome
                )
                yield f"{name}{labels} {run.changes(operation, outcome)}"


def _head(name: str, help_: str) -> str:
    return f"# HELP {name} {help_}\n# TYPE {name} gauge\n"


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
