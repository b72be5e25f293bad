"""A coverage run: each mapping bound, counted, scored, and told what it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from connector.coverage.count import Counts, count
from connector.coverage.report import CoverageReport, MappingCoverage
from connector.coverage.rows import readable
from connector.coverage.score import attributes
from connector.coverage.suggest import suggest
from connector.errors import ConnectorError, SourceError, UsageError
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.prepare import Bound, bind, utc_now
from connector.project import Project
from connector.source.duckdb import first_line

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


def cover(
    project: Project, mappings: Sequence[Mapping], *, target: str, options: Options
) -> CoverageReport:
    """Measure the coverage of the mappings that send something; recommendations do not.

    What goes wrong with one mapping is in its part of the report.

    Raises:
        UsageError: none of the mappings sends users or events.
    """
    chosen = [each for each in mappings if each.kind is not Kind.RECOMMENDATIONS]
    if not chosen:
        raise UsageError("no mapping of users or events is selected")
    report = CoverageReport(target, utc_now(), options.sample)
    for mapping in chosen:
        report.mappings.append(_cover_one(project, mapping, options))
    return report


def _cover_one(project: Project, mapping: Mapping, options: Options) -> MappingCoverage:
    entry = MappingCoverage(mapping)
    try:
        with bind(project, mapping) as bound:
            counts = _counted(project, bound, options)
            entry.rows, entry.read = counts.sent, counts.read
            entry.repeated_keys = counts.repeated
            entry.attributes = attributes(mapping, counts)
            entry.suggestions = suggest(bound, entry.attributes)
    except ConnectorError as error:
        entry.error, entry.hint = error.message, error.hint
    return entry


def _counted(project: Project, bound: Bound, options: Options) -> Counts:
    settings = project.source(bound.mapping.source)
    with readable(bound, settings, sample=options.sample) as connection:
        try:
            closely = _closely(connection, options)
            return count(connection, bound.compiled, repeats=closely and options.sample is None)
        except duckdb.Error as error:
            raise SourceError(
                f"source {bound.source.name!r}: reading {bound.relation()} failed: "
                f"{first_line(error)}"
            ) from error


def _closely(connection: duckdb.DuckDBPyConnection, options: Options) -> bool:
    if options.quality is not None:
        return options.quality
    row = connection.execute("SELECT count(*) FROM source").fetchone()
    return row is not None and row[0] <= CLOSE_LOOK_ROWS
