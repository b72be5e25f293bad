"""What a coverage run found, as plain values and as the JSON that scripts build on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.coverage import score
from connector.coverage.history import Earlier
from connector.coverage.score import TIERS, Attribute, TierScore
from connector.coverage.suggest import Suggestion
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind, Tier
from connector.report import SCHEMA_VERSION


@dataclass(slots=True)
class MappingCoverage:
    """The coverage of one mapping.

    `rows` are those that would be sent and `read` those of the source; both of the sample where
    there is one. `attributes` holds recommended fields too, behind the others. `fills` are by
    field, `closely` says whether values and keys were looked at, and `trend` holds earlier reports
    and this one, the oldest first.
    """

    mapping: Mapping
    rows: int = 0
    read: int = 0
    repeated_keys: int | None = None
    attributes: tuple[Attribute, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    fills: dict[str, float] = field(default_factory=dict)
    closely: bool = False
    quality: dict[str, Any] = field(default_factory=dict)
    trend: list[Earlier] = field(default_factory=list)
    error: str | None = None
    hint: str | None = None

    @property
    def tiers(self) -> tuple[TierScore, ...]:
        """Good, Better, Best."""
        return score.tiers(self.attributes)

    @property
    def reached(self) -> Tier | None:
        """The highest tier reached."""
        return score.reached(self.tiers)

    @property
    def short_of(self) -> Tier | None:
        """The tier that the mapping requires and does not reach."""
        required = self.mapping.coverage.require
        if required is None or self.error:
            return None
        tier = Tier(required)
        enough = self.reached is not None and TIERS.index(self.reached) >= TIERS.index(tier)
        return None if enough else tier

    def to_json(self) -> dict[str, Any]:
        """The mapping's part of the report."""
        lines = {each.attribute: each.line for each in self.suggestions}
        tiered = [each for each in self.attributes if each.tier is not None]
        beside = [each for each in self.attributes if each.tier is None]
        return {
            "name": self.mapping.name,
            "kind": str(self.mapping.kind),
            "table": self.mapping.table or "(query)",
            "rows": self.rows,
            "rows_read": self.read,
            "repeated_keys": self.repeated_keys,
            "reached": _name(self.reached),
            "require": self.mapping.coverage.require,
            "min_fill": self.mapping.coverage.min_fill,
            "tiers": tiers_json(self.tiers),
            "attributes": [_attribute(each) | _suggested(each, lines) for each in tiered],
            "recommended": [_attribute(each) | _suggested(each, lines) for each in beside],
            "suggestions": [each.to_json() for each in self.suggestions],
            "quality": self.quality,
            "error": self.error,
            "hint": self.hint,
        }


@dataclass(frozen=True, slots=True)
class Total:
    """All tables of one kind together: an attribute counts where any of them covers it."""

    kind: Kind
    attributes: tuple[Attribute, ...]

    @property
    def tiers(self) -> tuple[TierScore, ...]:
        """Good, Better, Best."""
        return score.tiers(self.attributes)

    @property
    def reached(self) -> Tier | None:
        """The highest tier that the tables reach together."""
        return score.reached(self.tiers)

    def to_json(self) -> dict[str, Any]:
        """As in a mapping, with the mapping that provides each attribute."""
        return {
            "kind": str(self.kind),
            "reached": _name(self.reached),
            "tiers": tiers_json(self.tiers),
            "attributes": [
                _attribute(each) | {"mapping": each.mapping}
                for each in self.attributes
                if each.tier is not None
            ],
        }


@dataclass(slots=True)
class CoverageReport:
    """A coverage run. `sample` is a percentage, None where every row was counted."""

    target: str
    at: datetime
    sample: float | None = None
    mappings: list[MappingCoverage] = field(default_factory=list)

    @property
    def totals(self) -> list[Total]:
        """One for each kind of table there is."""
        return [
            Total(kind, score.together(tables))
            for kind in (Kind.USERS, Kind.EVENTS)
            if (tables := [
                (each.mapping.name, each.attributes)
                for each in self.mappings
                if each.mapping.kind is kind and not each.error
            ])
        ]  # fmt: skip

    @property
    def reached(self) -> Tier | None:
        """The tier of the whole data set: what users and events both reach."""
        return score.lowest(total.reached for total in self.totals)

    @property
    def exit_code(self) -> int:
        """1 where a mapping could not be counted, or falls short of the tier it requires."""
        return int(any(each.error or each.short_of for each in self.mappings))

    def to_json(self) -> dict[str, Any]:
        """The whole report as one JSON document."""
        return {
            "schema_version": SCHEMA_VERSION,
            "command": "coverage",
            "target": self.target,
            "at": self.at,
            "exit_code": self.exit_code,
            "sample_percent": self.sample,
            "reached": _name(self.reached),
            "totals": [total.to_json() for total in self.totals],
            "mappings": [each.to_json() for each in self.mappings],
        }


def tiers_json(scores: Sequence[TierScore]) -> dict[str, Any]:
    """Tiers by name."""
    return {
        str(each.tier): {"reached": each.reached, "score": round(each.score, 4)} for each in scores
    }


def _name(tier: Tier | None) -> str:
    return "none" if tier is None else str(tier)


def _attribute(line: Attribute) -> dict[str, Any]:
    return {
        "attribute": line.attribute,
        "tier": line.tier and str(line.tier),
        "field": line.field,
        "event_type": line.event_type,
        "filled": line.filled,
        "of": line.of,
        "fill": round(line.fill, 6),
        "status": str(line.status),
    }


def _suggested(line: Attribute, lines: dict[str, str]) -> dict[str, Any]:
    return {"suggestion": lines.get(line.attribute)}
