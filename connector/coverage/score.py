"""From counts to tiers: which field or event type provides each attribute, and how far it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from connector.coverage.attributes import (
    EVENT_RULES,
    attributes_of,
    plain,
    recommended_for,
    synonyms,
)
from connector.coverage.count import Counts, Group
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind, Tier

TIERS = tuple(Tier)


class Status(StrEnum):
    """How far an attribute is there."""

    COVERED = "covered"
    SPARSE = "sparse"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One line of the tables as a mapping provides it.

    `tier` is None for a recommended field. `fill` is the part of rows with a value, 0 to 1; for an
    attribute that is an event type, the part of the events of that type. `mapping` is set in
    totals: whose line this is.
    """

    attribute: str
    tier: Tier | None
    field: str | None = None
    event_type: str | None = None
    filled: int = 0
    of: int = 0
    min_fill: float = 0.5
    mapping: str | None = None

    @property
    def fill(self) -> float:
        """The part with a value."""
        return self.filled / self.of if self.of else 0.0

    @property
    def status(self) -> Status:
        """Covered from `min_fill` on, missing without any value."""
        if not self.filled:
            return Status.MISSING
        return Status.COVERED if self.fill >= self.min_fill else Status.SPARSE


@dataclass(frozen=True, slots=True)
class TierScore:
    """A tier is reached when all its attributes, those of the tiers below included, are covered;
    its score is the mean of their fills."""

    tier: Tier
    reached: bool
    score: float


def attributes(mapping: Mapping, counts: Counts) -> tuple[Attribute, ...]:
    """Every attribute for the kind of a mapping, then every recommended field."""
    wanted: list[tuple[str, Tier | None]] = [
        (each.name, each.tier) for each in attributes_of(mapping.kind)
    ]
    wanted += [(name, None) for name in recommended_for(mapping.kind)]
    return tuple(_attribute(mapping, counts, name, tier) for name, tier in wanted)


def tiers(lines: Sequence[Attribute]) -> tuple[TierScore, ...]:
    """The tiers, from Good to Best; none where there are no attributes, or no tier among them."""
    scores = []
    for number, tier in enumerate(TIERS, start=1):
        included = [each for each in lines if each.tier in TIERS[:number]]
        if included:
            reached = all(each.status is Status.COVERED for each in included)
            scores.append(TierScore(tier, reached, sum(e.fill for e in included) / len(included)))
    return tuple(scores)


def reached(scores: Iterable[TierScore]) -> Tier | None:
    """The highest tier that is reached."""
    return next((each.tier for each in reversed(list(scores)) if each.reached), None)


def lowest(reached_: Iterable[Tier | None]) -> Tier | None:
    """The tier that all of several tables reach together."""
    ranks = [0 if each is None else TIERS.index(each) + 1 for each in reached_]
    rank = min(ranks, default=0)
    return TIERS[rank - 1] if rank else None


def together(tables: Sequence[tuple[str, Sequence[Attribute]]]) -> tuple[Attribute, ...]:
    """One line an attribute over the tables of one kind: that of the table where it is best."""
    best: dict[str, Attribute] = {}
    for name, lines in tables:
        for line in lines:
            known = best.get(line.attribute)
            if known is None or _rank(line) > _rank(known):
                best[line.attribute] = replace(line, mapping=name if line.filled else None)
    return tuple(best.values())


def _rank(line: Attribute) -> tuple[bool, float]:
    return line.status is Status.COVERED, line.fill


def _attribute(mapping: Mapping, counts: Counts, name: str, tier: Tier | None) -> Attribute:
    nothing = Attribute(name, tier, of=counts.sent, min_fill=mapping.coverage.min_fill)
    alias = dict(mapping.coverage.aliases).get(name)
    found = list(_candidates(nothing, mapping, counts, [alias] if alias else synonyms(name)))
    # The first of the best: names stand in the order in which they are preferred.
    return max(found, key=lambda each: each.fill, default=nothing)


def _candidates(
    line: Attribute, mapping: Mapping, counts: Counts, names: Sequence[str]
) -> Iterator[Attribute]:
    fields = _fields_called(_field_names(mapping), names)
    for field in fields:
        yield replace(line, field=field, filled=counts.filled(field))
    if mapping.kind is not Kind.EVENTS:
        return
    rule = EVENT_RULES.get(line.attribute)
    types = {plain(name) for name in (*names, *(rule.types if rule else ()))}
    for event_type, group in counts.groups.items():
        if event_type is None or not group.rows:
            continue
        if plain(event_type) in types:
            yield _of_type(line, event_type, group, fields)
        elif rule and rule.of == event_type and (matched := group.matched.get(line.attribute)):
            yield replace(line, field=rule.field, event_type=event_type, filled=matched, of=matched)


def _of_type(line: Attribute, event_type: str, group: Group, fields: Sequence[str]) -> Attribute:
    """Events of a type that is the attribute: as full as their own field for it, if they have
    one."""
    field = max(fields, key=lambda name: group.filled[name], default=None)
    filled = group.filled[field] if field else group.rows
    return replace(line, field=field, event_type=event_type, filled=filled, of=group.rows)


def _field_names(mapping: Mapping) -> list[str]:
    own = [field.name for each in mapping.types for field in each.fields]
    return list(dict.fromkeys([*(field.name for field in mapping.fields), *own]))


def _fields_called(fields: Sequence[str], names: Sequence[str]) -> list[str]:
    by_name: dict[str, list[str]] = {}
    for field in fields:
        by_name.setdefault(plain(field), []).append(field)
    wanted = dict.fromkeys(plain(each) for name in names for each in (name, *name.split("/")))
    return [field for name in wanted for field in by_name.get(name, ())]
