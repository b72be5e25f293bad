"""Asset checks: what a sync has to hold to, judged from its report."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import dagster as dg

from connector.mapping.mapping import Mapping
from connector.report import MappingReport
from dagster_defs.backfill import can_be_backfilled

OnTooManyRejects = Literal["warn", "error", "block", "fail"]
"""What more rejects than `max_reject_percent` are: a warning, an error, an error that keeps
downstream assets from running, or the end of the run."""

NOTHING_PENDING = "nothing_pending"
REJECTS = "rejects_within_limits"
RECONCILES = "reconciles_with_source"
FRESH = "events_fresh"

LIMIT = "hours_allowed"

Judgement = tuple[bool, str, dict[str, Any]]


def check_specs(
    mapping: Mapping, key: dg.AssetKey, on_too_many: OnTooManyRejects, fresh_within_hours: float
) -> list[dg.AssetCheckSpec]:
    """The checks of one mapping's asset."""
    specs = [
        dg.AssetCheckSpec(
            NOTHING_PENDING,
            asset=key,
            description="Every change that was planned is acknowledged or rejected.",
        ),
        dg.AssetCheckSpec(
            REJECTS,
            asset=key,
            description="No more rows are rejected than the mapping's `max_reject_percent`.",
            blocking=on_too_many == "block",
        ),
        dg.AssetCheckSpec(
            RECONCILES,
            asset=key,
            description="Every row of the source is unchanged, rejected, skipped, suppressed or "
            "sent: none is lost on the way.",
        ),
    ]
    if can_be_backfilled(mapping):
        limit = f"{fresh_within_hours:g} hours"
        said = f"The cursor came to within {limit} of the end of the sync."
        specs.append(
            dg.AssetCheckSpec(
                FRESH, asset=key, description=said, metadata={LIMIT: fresh_within_hours}
            )
        )
    return specs


def evaluate(
    report: MappingReport,
    mapping: Mapping,
    specs: Sequence[dg.AssetCheckSpec],
    *,
    on_too_many: OnTooManyRejects,
) -> Iterator[dg.AssetCheckResult]:
    """Those of `specs` that are known here, judged on what a sync reports."""
    severities = {FRESH: dg.AssetCheckSeverity.WARN}
    if on_too_many == "warn":
        severities[REJECTS] = dg.AssetCheckSeverity.WARN
    for spec in specs:
        if spec.name == FRESH:
            passed, description, metadata = _fresh(report, spec.metadata[LIMIT])
        elif (judge := _JUDGES.get(spec.name)) is not None:
            passed, description, metadata = judge(report, mapping)
        else:
            continue
        yield dg.AssetCheckResult(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=passed,
            severity=severities.get(spec.name, dg.AssetCheckSeverity.ERROR),
            description=description,
            metadata=metadata,
        )


def _nothing_pending(report: MappingReport, _: Mapping) -> Judgement:
    planned = sum(each.planned for each in report.changes.values())
    description = f"{report.pending:,} of {planned:,} changes are pending"
    return report.pending == 0, description, {"pending": report.pending, "planned": planned}


def _rejects(report: MappingReport, mapping: Mapping) -> Judgement:
    percent = 100 * report.rejected / max(report.rows.source, 1)
    limit = mapping.max_reject_percent
    description = f"{percent:.2f} % of the rows are rejected; {limit:g} % are allowed"
    metadata = {"rejected": report.rejected, "percent": percent, "max_reject_percent": limit}
    return not report.too_many_rejects, description, metadata


def _fresh(report: MappingReport, hours: float) -> Judgement:
    behind = report.freshness.behind_seconds if report.freshness else None
    if behind is None:
        return False, "no event has come yet", {}
    description = f"{behind / 3600:,.1f} hours behind; {hours:g} are allowed"
    return behind <= hours * 3600, description, {"behind_seconds": behind}


def _reconciles(report: MappingReport, _: Mapping) -> Judgement:
    """Users that left the source are deleted without a row of it. Those of an erasure feed may
    have one or not, so they leave room for as many rows."""
    rows = report.rows
    apart = rows.unchanged + rows.rejected + rows.skipped + rows.suppressed + report.adopted
    reasons = [each.reasons for each in report.changes.values()]
    fed = sum(each.get("feed", 0) for each in reasons)
    left = sum(each.get("left", 0) for each in reasons)
    sent = sum(each.planned for each in report.changes.values()) - left
    low, high = apart + sent - fed, apart + sent
    passed = low <= rows.source <= high
    description = f"{rows.source:,} rows read, {high:,} accounted for"
    metadata = {
        "rows_read": rows.source,
        "unchanged": rows.unchanged,
        "rejected": rows.rejected,
        "skipped": rows.skipped,
        "suppressed": rows.suppressed,
        "sent": sent,
        "without_a_row": left + fed,
    }
    return passed, description, metadata


_JUDGES: dict[str, Callable[[MappingReport, Mapping], Judgement]] = {
    NOTHING_PENDING: _nothing_pending,
    REJECTS: _rejects,
    RECONCILES: _reconciles,
}
