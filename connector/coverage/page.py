"""The report as one page that stands alone: no network, no script, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from connector.coverage.report import CoverageReport, MappingCoverage, Total
from connector.coverage.score import TIERS, Attribute, Status
from connector.mapping.rules import Tier

_SYMBOLS = {Status.COVERED: "✓", Status.SPARSE: "◐", Status.MISSING: "–"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: in which mapping, what, the YAML for it, and what it brings."""

    where: str
    what: str
    line: str | None = None
    brings: str | None = None


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One attribute: its tier, best status anywhere, and a cell for each table."""

    attribute: str
    tier: str
    total: Attribute
    cells: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A trend as points of an SVG polyline, and in words; `change` is empty where there is none."""

    points: str
    label: str
    now: float
    change: str


def page(report: CoverageReport) -> str:
    """The page as HTML."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Callable[..., object]] = {
        "percent": percent,
        "count": lambda number: f"{number:,}",
        "title_of": lambda tier: str(tier or "none").capitalize(),
        "shade": shade,
        "symbol": lambda line: _SYMBOLS[line.status],
        "bars": bars,
    }
    environment.filters.update(filters)
    text = (files("connector.coverage") / "page.html").read_text("utf-8")
    good = [each for each in report.mappings if each.error is None]
    return environment.from_string(text).render(
        report=report,
        mappings=good,
        failed=[each for each in report.mappings if each.error is not None],
        steps=list(next_steps(report)),
        heat={str(total.kind): list(_heat(report, total)) for total in report.totals},
        tables={
            str(total.kind): [each for each in good if each.mapping.kind is total.kind]
            for total in report.totals
        },
        trends={each.mapping.name: trend(each) for each in good},
        tiers=TIERS,
        covered=_covered,
    )


def percent(part: float) -> str:
    """`0 %`, `<1 %`, `42 %`, `>99 %`: never 100 where something is missing, nor 0 where something
    is there."""
    if 0 < part < 0.01:
        return "<1%"
    if 0.99 < part < 1:
        return ">99%"
    return f"{part:.0%}"


def shade(line: Attribute) -> str:
    """The class of a cell: its status, and how full it is within it."""
    if line.status is Status.MISSING:
        return "missing"
    if line.status is Status.SPARSE:
        return "sparse-low" if line.fill < line.min_fill / 2 else "sparse"
    if line.fill >= 0.95:
        return "full"
    return "high" if line.fill >= 0.75 else "covered"


def bars(volume: Sequence[dict[str, Any]]) -> list[tuple[float, float, float]]:
    """Volume by day as bars of a chart 100 wide and 30 high: x, height, width."""
    most = max((day["rows"] for day in volume), default=0) or 1
    width = 100 / max(len(volume), 1)
    return [
        (round(number * width, 3), round(30 * day["rows"] / most, 3), round(width * 0.8, 3))
        for number, day in enumerate(volume)
    ]


def trend(entry: MappingCoverage) -> dict[str, Line]:
    """The scores of a mapping over its reports, by tier; none before the second report."""
    reports = entry.trend
    if len(reports) < 2:
        return {}
    lines = {}
    for tier in TIERS:
        scores = [each.scores.get(str(tier), 0.0) for each in reports]
        step = 100 / (len(scores) - 1)
        points = [(round(n * step, 2), round(30 - 28 * score, 2)) for n, score in enumerate(scores)]
        change = round((scores[-1] - scores[0]) * 100, 1)
        name = str(tier).capitalize()
        lines[str(tier)] = Line(
            points=" ".join(f"{x},{y}" for x, y in points),
            label=f"{name} went from {percent(scores[0])} to {percent(scores[-1])}"
            if change
            else f"{name} stayed at {percent(scores[-1])}",
            now=scores[-1],
            change=f"{change:+g} points" if change else "",
        )
    return lines


def next_steps(report: CoverageReport) -> Iterator[Step]:
    """What to do, the most telling first: what fails, what can be added, what is not there."""
    for entry in report.mappings:
        if entry.error is not None:
            yield Step(entry.mapping.name, f"Mend what keeps it from being read: {entry.error}")
    for tier in (*TIERS, None):
        yield from _to_add(report, tier)
    for total in report.totals:
        lacking = [
            each.attribute
            for each in total.attributes
            if each.tier is not None and each.status is Status.MISSING
        ]
        offered = {s.attribute for entry in report.mappings for s in entry.suggestions}
        nowhere = [name for name in lacking if name not in offered]
        if nowhere:
            yield Step(
                f"all {total.kind}",
                f"No table holds {_listed(nowhere)}: collect "
                f"{'them' if len(nowhere) > 1 else 'it'}, or map where the data are.",
            )
    yield from _to_mend(report)


def _to_add(report: CoverageReport, tier: Tier | None) -> Iterator[Step]:
    covered = _covered_anywhere(report)
    for entry in report.mappings:
        for each in entry.suggestions:
            if each.tier is not tier:
                continue
            fills = f"fills {percent(each.fill)} of the rows looked at"
            if each.attribute in covered:
                fills += "; another table covers it already"
            what = f"Add {each.attribute}: {fills}"
            brings = f"for {str(tier).capitalize()}" if tier else "recommended"
            yield Step(entry.mapping.name, what, each.line, brings)


def _covered_anywhere(report: CoverageReport) -> set[str]:
    return {
        each.attribute
        for total in report.totals
        for each in total.attributes
        if each.status is Status.COVERED
    }


def _to_mend(report: CoverageReport) -> Iterator[Step]:
    yield from _orphans(report)
    covered = _covered_anywhere(report)
    for entry in report.mappings:
        name, quality = entry.mapping.name, entry.quality
        refused = sum(each["rows"] for each in quality.get("not_sent", ()) if each["field"])
        if entry.read and refused > 0.01 * entry.read:
            share = percent(refused / entry.read)
            yield Step(name, f"{share} of its rows are refused by the rules: see below which.")
        if (traces := quality.get("traces")) and not traces["with_rec_id"]:
            yield Step(name, "Map rec_id: none of its events says which recommendation it was.")
        for line in entry.attributes:
            lacks = line.tier is not None and line.status is Status.SPARSE
            if lacks and line.attribute not in covered:
                yield Step(
                    name,
                    f"Fill {line.attribute}: {percent(line.fill)} now, "
                    f"{percent(line.min_fill)} needed.",
                )


def _orphans(report: CoverageReport) -> Iterator[Step]:
    """References that lead nowhere, together for all tables that have the same."""
    lost: dict[tuple[str, str], list[tuple[str, int, int]]] = {}
    for entry in report.mappings:
        for field, link in entry.quality.get("links", {}).items():
            if link["orphans"] and link["orphans"] >= 0.05 * link["rows"]:
                where = (field, link["points_at"])
                lost.setdefault(where, []).append(
                    (entry.mapping.name, link["orphans"], link["rows"])
                )
    for (field, kind), tables in lost.items():
        events = sum(orphans for _, orphans, _ in tables)
        share = percent(events / sum(rows for _, _, rows in tables))
        what = "user" if kind == "users" else f"{kind} event"
        yield Step(
            ", ".join(name for name, _, _ in tables),
            f"{share} of the {field} name a {what} that is not sent ({events:,} events): "
            "look at what keeps it back, and at how the two are joined.",
        )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _heat(report: CoverageReport, total: Total) -> Iterator[HeatRow]:
    tables = [
        {line.attribute: line for line in entry.attributes}
        for entry in report.mappings
        if entry.error is None and entry.mapping.kind is total.kind
    ]
    for line in total.attributes:
        tier = str(line.tier).capitalize() if line.tier else "Recommended"
        cells = tuple(table[line.attribute] for table in tables)
        yield HeatRow(line.attribute, tier, line, cells)


def _covered(lines: Sequence[Attribute], tier: Tier) -> tuple[int, int]:
    """How many attributes of a tier alone are covered, and of how many."""
    own = [each for each in lines if each.tier is tier]
    return sum(each.status is Status.COVERED for each in own), len(own)
