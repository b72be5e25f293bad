"""Coverage as an asset check, for mappings that require a tier, and as metadata."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from connector.coverage.history import Earlier
from connector.coverage.report import MappingCoverage
from connector.errors import SourceError
from connector.mapping.mapping import Mapping
from dagster_defs import names
from dagster_defs.plots import MOST_OF_SEVERAL, Line, plot, thinned
from dagster_defs.project import SyncProject

CHECK = "coverage_reaches_tier"


def build_coverage_check(
    sync: SyncProject, mapping: Mapping, key: dg.AssetKey, *, prefix: str
) -> dg.AssetChecksDefinition | None:
    """A check of its own step, which reads the source again; None where no tier is required."""
    required = mapping.coverage.require
    if required is None:
        return None
    name = names.identifier(prefix, mapping.name, CHECK)
    spec = dg.AssetCheckSpec(
        CHECK,
        asset=key,
        description=f"The data reach {required!r}, as `coverage: {{require: …}}` asks for.",
    )

    @dg.multi_asset_check(name=name, specs=[spec])
    def check() -> dg.AssetCheckResult:
        entry = sync.cover([mapping])[0]
        if entry.error is not None:
            raise dg.Failure(f"{mapping.name}: {entry.error}", allow_retries=False)
        return dg.AssetCheckResult(
            asset_key=key,
            check_name=CHECK,
            passed=entry.short_of is None,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{reached(entry)} is reached, {required} is required",
            metadata=coverage_metadata(entry),
        )

    return check


def reached(entry: MappingCoverage) -> str:
    """The highest tier reached, in a word."""
    return str(entry.reached) if entry.reached else "no tier"


def coverage_metadata(entry: MappingCoverage) -> dict[str, Any]:
    """Scores, 0 to 1, which Dagster plots over time; and what is missing of each tier."""
    attributes = [each for each in entry.attributes if each.tier is not None]
    records = [
        dg.TableRecord(
            {
                "attribute": each.attribute,
                "tier": str(each.tier),
                "field": each.field or "",
                "fill": round(each.fill, 4),
                "status": str(each.status),
            }
        )
        for each in attributes
    ]
    texts = [dg.TableColumn(name) for name in ("attribute", "tier", "field")]
    columns = [*texts, dg.TableColumn("fill", "float"), dg.TableColumn("status")]
    return {
        "coverage_tier": reached(entry),
        **{f"coverage_{score.tier}": round(score.score, 4) for score in entry.tiers},
        "rows": entry.rows,
        "attributes": dg.MetadataValue.table(records, schema=dg.TableSchema(columns)),
        **_plotted(entry.trend),
    }


def latest_coverage(
    sync: SyncProject, mapping: Mapping, every_hours: float | None
) -> dict[str, Any]:
    """The coverage of a mapping as metadata of its sync: what the latest report found.

    Where a sync reads the whole source anyway, it is measured again once a report is older than so
    many hours. Mappings with a cursor read no more than they must, and those that require a tier
    have a check that measures.

    Raises:
        ConnectorError: it cannot be known.
    """
    trend = sync.coverage_trend(mapping)
    measured_here = mapping.cursor is None and mapping.coverage.require is None
    if measured_here and every_hours is not None and _older(trend, timedelta(hours=every_hours)):
        entry = sync.cover([mapping], quality=False)[0]
        if entry.error is not None:
            raise SourceError(entry.error, hint=entry.hint)
        trend = entry.trend
    if not trend:
        return {}
    latest = trend[-1]
    return {
        "coverage_tier": "no tier" if latest.reached == "none" else latest.reached,
        **{f"coverage_{tier}": round(score, 4) for tier, score in latest.scores.items()},
        "coverage_measured": dg.MetadataValue.timestamp(latest.at.replace(tzinfo=UTC)),
        **_plotted(trend),
    }


def _older(trend: Sequence[Earlier], age: timedelta) -> bool:
    return not trend or trend[-1].at <= datetime.now(UTC).replace(tzinfo=None) - age


def _plotted(trend: Sequence[Earlier]) -> dict[str, Any]:
    """Each tier's score over time, once there is a time to speak of."""
    if len(trend) < 2 or trend[0].at == trend[-1].at:
        return {}
    scores = {
        tier: [(each.at.timestamp(), each.scores.get(tier, 0.0)) for each in trend]
        for tier in trend[-1].scores
    }
    lines = [Line(tier, thinned(points, MOST_OF_SEVERAL)) for tier, points in scores.items()]
    if not lines:
        return {}
    ends = f"{trend[0].at:%Y-%m-%d} to {trend[-1].at:%Y-%m-%d}"
    plotted = plot("coverage over time", lines, top=1.0, top_label="100 %", ends=ends)
    return {"coverage_over_time": dg.MetadataValue.md(plotted)}
