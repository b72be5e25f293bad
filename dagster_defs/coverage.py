"""Coverage as an asset check, for mappings that require a tier, and as metadata."""

from typing import Any

import dagster as dg

from connector.coverage.report import MappingCoverage
from connector.mapping.mapping import Mapping
from dagster_defs import names
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
        "tier": reached(entry),
        **{f"coverage_{score.tier}": round(score.score, 4) for score in entry.tiers},
        "rows": entry.rows,
        "attributes": dg.MetadataValue.table(records, schema=dg.TableSchema(columns)),
    }
