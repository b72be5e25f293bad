"""What a run leaves behind in Dagster: numbers, a summary, and no personal data.

Keys of rows and the API's own words about them stay out: both may name a person, and Dagster's
database is out of reach of erasures. `connector rejects list` shows them.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import dagster as dg

from connector.mapping.rules import Kind
from connector.report import Freshness, MappingReport, Operation
from connector.windows import stamp
from dagster_defs.plots import rate_plot

OPERATIONS = {
    Kind.USERS: ("upsert", "soft_delete", "hard_delete"),
    Kind.EVENTS: ("event",),
}

MOST_CHUNKS = 200
"""How many windows of a backfill a table shows."""


def run_metadata(
    report: MappingReport,
    pace: Sequence[tuple[float, int]] = (),
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """The metadata of a materialization. Times in seconds; for `pace` see `rate_plot`."""
    metadata: dict[str, Any] = {
        "summary": dg.MetadataValue.md(summary(report)),
        "status": str(report.status),
        "rows_read": report.rows.source,
        "rows_unchanged": report.rows.unchanged,
        "rows_rejected": report.rows.rejected,
        "rows_skipped": report.rows.skipped,
        "rows_suppressed": report.rows.suppressed,
        "changes": _changes(report),
        "acknowledged": sum(each.acknowledged for each in report.changes.values()),
        "refused": report.rejected - report.rows.rejected,
        "pending": report.pending,
        "requests": report.http.requests,
        "retries": report.http.retries,
        "throttled": report.http.throttled,
        "seconds": round(report.seconds, 3),
    }
    if Kind(report.kind) is Kind.USERS:
        metadata["soft_deletes"] = report.changes["soft_delete"].acknowledged
        metadata["hard_deletes"] = report.changes["hard_delete"].acknowledged
    if report.freshness:
        metadata |= _freshness(report.freshness)
    if report.rejects:
        metadata["rejects"] = _rejects(report)
    if report.adopted:
        metadata["adopted"] = report.adopted
    if plotted := rate_plot(pace):
        metadata["rate"] = dg.MetadataValue.md(plotted)
    if warnings:
        metadata["warnings"] = dg.MetadataValue.md("\n".join(f"- {line}" for line in warnings))
    return metadata


def _freshness(freshness: Freshness) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if freshness.watermark is not None:
        found["watermark"] = dg.MetadataValue.timestamp(freshness.watermark.replace(tzinfo=UTC))
        found["behind_seconds"] = freshness.behind_seconds
    if freshness.lag_seconds is not None:
        found["lag_p50_seconds"] = freshness.lag_seconds.p50
        found["lag_p95_seconds"] = freshness.lag_seconds.p95
    return found


def plan_metadata(report: MappingReport) -> dict[str, Any]:
    """The metadata of a plan: what would be sent and why, and what it would take."""
    planned = [
        f"**{each.planned:,}** {name.replace('_', ' ')} ({_reasons(each)})"
        for name, each in _operations(report)
        if each.planned
    ]
    forecast = report.forecast
    metadata: dict[str, Any] = {
        "summary": dg.MetadataValue.md("\n".join(f"- {line}" for line in planned) or "no changes"),
        "status": str(report.status),
        "rows_read": report.rows.source,
        "rows_rejected": report.rows.rejected,
        "planned": report.planned,
        "requests": forecast.requests if forecast else 0,
    }
    if forecast and forecast.seconds is not None:
        metadata["seconds_at_quota"] = forecast.seconds
    if report.changed_fields:
        metadata["changed_fields"] = report.changed_fields
    return metadata


def chunk_table(report: MappingReport) -> dg.TableMetadataValue:
    """The windows of a backfill, of very many the last."""
    numbers = ("rows", "planned", "acknowledged", "rejected", "known", "requests")
    records = [
        dg.TableRecord(
            {
                "from": stamp(chunk.window.start).removesuffix("T00:00:00Z"),
                "to": stamp(chunk.window.end).removesuffix("T00:00:00Z"),
                "status": str(chunk.status),
                **{name: getattr(chunk, name) for name in numbers},
            }
        )
        for chunk in (report.chunks or [])[-MOST_CHUNKS:]
    ]
    texts = [dg.TableColumn(name) for name in ("from", "to", "status")]
    columns = [*texts, *(dg.TableColumn(name, "int") for name in numbers)]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def row_count(report: MappingReport) -> int:
    """How many of the rows that were read the target holds."""
    sent = ("upsert", "soft_delete", "event")
    arrived = sum(report.changes[name].acknowledged for name in sent)
    return report.rows.unchanged + arrived + report.adopted


def summary(report: MappingReport) -> str:
    """How a mapping fared, as a few lines of Markdown."""
    rows = report.rows
    apart = [
        f"{count:,} {what}"
        for what, count in (
            ("unchanged", rows.unchanged),
            ("rejected", rows.rejected),
            ("skipped", rows.skipped),
            ("suppressed", rows.suppressed),
        )
        if count
    ]
    read = f"**{rows.source:,}** rows read" + (f": {', '.join(apart)}" if apart else "")
    sent = [_sent(name, each) for name, each in _operations(report) if each.planned]
    lines = [
        f"**{report.name}** {report.status} after {report.seconds:.1f} s",
        read,
        "; ".join(sent) or "nothing to send",
    ]
    if report.adopted:
        lines.append(f"**{report.adopted:,}** rows adopted without sending")
    if report.http.requests:
        lines.append(_wire(report))
    return "\n".join(f"- {line}" for line in lines)


def _operations(report: MappingReport) -> list[tuple[str, Operation]]:
    return [(name, report.changes[name]) for name in OPERATIONS[Kind(report.kind)]]


def _reasons(operation: Operation) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in operation.reasons.items())


def _sent(name: str, operation: Operation) -> str:
    parts = [f"{operation.acknowledged:,} of {operation.planned:,} acknowledged"]
    parts += [f"{operation.rejected:,} refused"] if operation.rejected else []
    parts += [f"{operation.pending:,} pending"] if operation.pending else []
    return f"**{name.replace('_', ' ')}**: {', '.join(parts)}"


def _wire(report: MappingReport) -> str:
    http = report.http
    again = f", {http.retries:,} repeated" if http.retries else ""
    slowed = f", {http.throttled:,} over the quota" if http.throttled else ""
    requests = "1 request" if http.requests == 1 else f"{http.requests:,} requests"
    return f"{requests}{again}{slowed}"


def _changes(report: MappingReport) -> dg.TableMetadataValue:
    numbers = ("planned", "acknowledged", "rejected", "pending")
    records = [
        dg.TableRecord({"operation": name, **{n: getattr(each, n) for n in numbers}})
        for name, each in _operations(report)
    ]
    columns = [dg.TableColumn("operation"), *(dg.TableColumn(n, "int") for n in numbers)]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def _rejects(report: MappingReport) -> dg.TableMetadataValue:
    """The sampled rejects by reason: which rows they are is not said here."""
    reasons = Counter((sample.code, sample.field or "") for sample in report.rejects)
    records = [
        dg.TableRecord({"reason": code, "field": field, "rows_in_sample": count})
        for (code, field), count in reasons.most_common()
    ]
    columns = [
        dg.TableColumn("reason"),
        dg.TableColumn("field"),
        dg.TableColumn("rows_in_sample", "int"),
    ]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))
