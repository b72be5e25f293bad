"""A coverage run: each mapping bound, counted, scored, and told what it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from connector.control.store import ControlStore
from connector.coverage.count import Counts, Look, count
from connector.coverage.history import Earlier, earlier, remember
from connector.coverage.links import Links
from connector.coverage.quality import look_closely
from connector.coverage.report import CoverageReport, MappingCoverage
from connector.coverage.rows import readable
from connector.coverage.score import attributes
from connector.coverage.scratch import Scratch
from connector.coverage.suggest import suggest
from connector.coverage.traces import Traces
from connector.errors import ConnectorError, SourceError, UsageError, first_line
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.prepare import Bound, bind, utc_now
from connector.project import Project

CLOSE_LOOK_ROWS = 1_000_000
"""Tables up to this size are looked at closely without being asked to."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to look.

    `sample` is a percentage of the rows. `quality` looks at values and keys too, which takes
    several passes; None does so for tables of up to a million rows.
    """

    sample: float | None = None
    quality: bool | None = None


DEFAULTS = Options()


def cover(
    project: Project, mappings: Sequence[Mapping], *, target: str, options: Options = DEFAULTS
) -> CoverageReport:
    """Measure the coverage of the mappings that send something; recommendations do not.

    What goes wrong with one mapping is in its part of the report. Every mapping that was counted in
    full is remembered in the control store of `target`, for trends.

    Raises:
        UsageError: none of the mappings sends users or events.
        StateError: the control store cannot be used.
    """
    chosen = [each for each in mappings if each.kind is not Kind.RECOMMENDATIONS]
    if not chosen:
        raise UsageError("no mapping of users or events is selected")
    report = CoverageReport(target, utc_now(), options.sample)
    with Scratch() as scratch:
        across = _Across(Links(scratch), Traces(scratch))
        for mapping in chosen:
            report.mappings.append(_cover_one(project, mapping, options, across))
        _link(project, report, across)
    store = ControlStore(project.state_path / target, target, project.control_url)
    try:
        for entry in report.mappings:
            if entry.error is None:
                _compare(store, report, entry)
    finally:
        store.close()
    return report


@dataclass(frozen=True, slots=True)
class _Across:
    """What is told of one mapping once the others were read too."""

    links: Links
    traces: Traces


def _link(project: Project, report: CoverageReport, across: _Across) -> None:
    closely = [
        each for each in report.mappings if each.closely and each.mapping.kind is Kind.EVENTS
    ]
    if closely and report.sample is None:
        recommending = [each for each in project.mappings if each.kind is Kind.RECOMMENDATIONS]
        across.traces.look_up(project, recommending)
    for entry in closely:
        entry.quality["links"] = across.links.of(entry.mapping.name, entry.rows)
        traces = across.traces.of(entry.mapping.name)
        if traces is not None:
            entry.quality["traces"] = traces


def _cover_one(
    project: Project, mapping: Mapping, options: Options, across: _Across
) -> MappingCoverage:
    entry = MappingCoverage(mapping)
    try:
        with bind(project, mapping) as bound:
            counts = _read(project, bound, options, across, entry)
            entry.rows, entry.read = counts.sent, counts.read
            entry.repeated_keys = counts.repeated
            entry.fills = {
                name: counts.filled(name) / counts.sent if counts.sent else 0.0
                for name in bound.compiled.types
            }
            entry.attributes = attributes(mapping, counts)
            entry.suggestions = suggest(bound, entry.attributes)
    except ConnectorError as error:
        entry.error, entry.hint = error.message, error.hint
    return entry


def _read(
    project: Project, bound: Bound, options: Options, across: _Across, entry: MappingCoverage
) -> Counts:
    settings = project.source(bound.mapping.source)
    with readable(bound, settings, sample=options.sample) as connection:
        try:
            entry.closely = _closely(connection, options)
            look = Look(texts=entry.closely, repeats=entry.closely and options.sample is None)
            counts = count(connection, bound.compiled, look)
            if entry.closely:
                entry.quality = look_closely(connection, counts)
                if options.sample is None:
                    across.links.collect(connection, counts)
                    across.traces.collect(connection, counts)
        except duckdb.Error as error:
            raise SourceError(
                f"source {bound.source.name!r}: reading {bound.relation()} failed: "
                f"{first_line(error)}"
            ) from error
    return counts


def _closely(connection: duckdb.DuckDBPyConnection, options: Options) -> bool:
    if options.quality is not None:
        return options.quality
    row = connection.execute("SELECT count(*) FROM source").fetchone()
    return row is not None and row[0] <= CLOSE_LOOK_ROWS


def _compare(store: ControlStore, report: CoverageReport, entry: MappingCoverage) -> None:
    """Set a mapping against its earlier reports, and keep this one unless it is of a sample."""
    before = earlier(store, entry.mapping.name)
    now = Earlier(
        at=report.at,
        rows=entry.rows,
        reached=str(entry.reached or "none"),
        scores={str(each.tier): round(each.score, 6) for each in entry.tiers},
        fills={name: round(fill, 6) for name, fill in entry.fills.items()},
    )
    if report.sample is None:
        remember(store, entry.mapping.name, now)
    entry.trend = [*before, now] if report.sample is None else before
    if before:
        last = before[-1]
        entry.quality["since"] = {
            "at": last.at,
            "rows": now.rows - last.rows,
            "reached_before": last.reached,
            "fills": {
                name: round(fill - last.fills[name], 6)
                for name, fill in now.fills.items()
                if name in last.fills and abs(fill - last.fills[name]) >= 0.0005
            },
        }
