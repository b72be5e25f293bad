"""Traces and metrics by OpenTelemetry, where its API is installed and an SDK is set up.

Without an SDK the API's own providers do nothing, and cost as much.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from connector import __version__
from connector.listeners.ended import Ended
from connector.report import OPERATIONS

# By name, and so of any type: the package is not among our dependencies.
metrics: Any = import_module("opentelemetry.metrics")
trace: Any = import_module("opentelemetry.trace")

_SCOPE = "connector"
_OUTCOMES = ("acknowledged", "rejected", "pending")


def report(ended: list[Ended]) -> None:
    """A span for the run and one for each mapping in it; counters and durations by mapping."""
    _trace(ended)
    for each in ended:
        _measure(each)


def _trace(ended: list[Ended]) -> None:
    tracer = trace.get_tracer(_SCOPE, __version__)
    first, last = ended[0], ended[-1]
    run = tracer.start_span(
        f"connector {first.command}",
        start_time=_nanoseconds(first.started_at),
        attributes={"connector.run_id": first.run_id, "connector.target": first.target},
    )
    around = trace.set_span_in_context(run)
    for each in ended:
        span = tracer.start_span(
            f"{each.command} {each.mapping}",
            context=around,
            kind=trace.SpanKind.CLIENT,
            start_time=_nanoseconds(each.started_at),
            attributes={
                "connector.mapping": each.mapping,
                "connector.status": each.status,
                "connector.rows.source": each.rows("source"),
                "connector.rows.acknowledged": each.acknowledged,
                "connector.rows.rejected": each.rejected,
                "connector.rows.pending": each.pending,
                "connector.http.requests": each.http("requests"),
            },
        )
        if each.trouble is not None:
            span.set_status(trace.StatusCode.ERROR, each.error or str(each.trouble))
        span.end(_nanoseconds(each.finished_at))
    if any(each.trouble is not None for each in ended):
        run.set_status(trace.StatusCode.ERROR)
    run.end(_nanoseconds(last.finished_at))


def _nanoseconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1_000_000) * 1_000


def _measure(ended: Ended) -> None:
    meter = metrics.get_meter(_SCOPE, __version__)
    whose = {"mapping": ended.mapping, "target": ended.target, "command": ended.command}
    rows = meter.create_counter("connector.rows", "{row}", "Rows by operation and outcome.")
    for operation in OPERATIONS:
        for outcome in _OUTCOMES:
            if count := ended.changes(operation, outcome):
                rows.add(count, {**whose, "operation": operation, "outcome": outcome})
    refused = ended.rows("rejected")
    if refused:
        rows.add(refused, {**whose, "operation": "none", "outcome": "rejected"})
    requests = meter.create_counter("connector.requests", "{request}", "Requests to the API.")
    requests.add(ended.http("requests"), whose)
    retries = meter.create_counter("connector.retries", "{request}", "Requests sent again.")
    retries.add(ended.http("retries"), whose)
    seconds = meter.create_histogram("connector.run.duration", "s", "How long mappings took.")
    seconds.record(ended.seconds, {**whose, "status": ended.status})
