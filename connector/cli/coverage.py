"""`connector coverage`: how far the data go, and what would take them further."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.options import Command, json_option, selection
from connector.cli.settings import Settings
from connector.cli.words import bold, counted, echo_json, one_line, tint
from connector.errors import UsageError

if TYPE_CHECKING:
    from connector.coverage.insert import FileVersion
    from connector.coverage.report import CoverageReport, MappingCoverage, Total
    from connector.coverage.score import Attribute
    from connector.project import Project

_COLORS = {"covered": "green", "sparse": "yellow", "missing": "red"}


class _Percent(click.ParamType[float]):
    name = "percent"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        try:
            percent = float(str(value).removesuffix("%"))
        except ValueError:
            percent = 0.0
        if not 0 < percent <= 100:
            self.fail(f"{value!r} is not a percentage above 0 and up to 100", param, ctx)
        return percent


_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("coverage", cls=Command)
@selection
@click.option("--suggest", is_flag=True, help="Show the lines of YAML that would help.")
@click.option("--write", is_flag=True, help="With --suggest: add them to the mapping files.")
@click.option(
    "--sample", type=_Percent(), metavar="N%", help="Count a random part of the rows only."
)
@click.option(
    "--quality/--no-quality",
    default=None,
    help="Look at keys and values too, in several passes [for tables of up to a million rows].",
)
@click.option("--html", type=_FILE, metavar="FILE", help="Write a page that stands alone.")
@click.option("--csv", type=_FILE, metavar="FILE", help="Write a line for every attribute.")
@json_option
@click.pass_obj
def coverage(
    settings: Settings,
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    suggest: bool,
    write: bool,
    sample: float | None,
    quality: bool | None,
    html: Path | None,
    csv: Path | None,
    as_json: bool,
) -> int:
    """Show which tier the data reach, Good, Better or Best, and what is missing.

    Counted is what would be sent. Exits with 1 where a mapping cannot be read or falls short of
    the tier that its `coverage: {require: …}` asks for.
    """
    from connector.coverage.cover import Options, cover
    from connector.coverage.insert import FileVersion

    if write and not suggest:
        raise UsageError("--write needs --suggest", hint="look at the suggestions first")
    project = settings.load()
    mappings = project.select(select, exclude)
    seen = {each.name: FileVersion.of(each) for each in mappings} if write else {}
    report = cover(
        project,
        mappings,
        target=settings.target_name(project),
        options=Options(sample=None if sample == 100 else sample, quality=quality),
    )
    if html is not None:
        from connector.coverage.page import page

        _save(html, page(report))
    if csv is not None:
        from connector.coverage.table import csv_text

        _save(csv, csv_text(report))
    if write:
        # Before anything is printed: whoever reads that may go away in the middle.
        _write(settings, project, report, seen)
    if as_json:
        echo_json(report.to_json())
    else:
        for line in describe(report, suggest=suggest, verbose=settings.verbosity > 0):
            click.echo(line)
    for entry in report.mappings:
        if entry.error is not None:
            settings.log.error(f"{entry.mapping.name}: {entry.error}", hint=entry.hint)
    return report.exit_code


def _save(file: Path, text: str) -> None:
    from connector.errors import ConnectorError

    try:
        file.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise ConnectorError(f"{file} cannot be written: {error.strerror}") from error


def _write(
    settings: Settings, project: Project, report: CoverageReport, seen: dict[str, FileVersion]
) -> None:
    from connector.coverage.insert import insert

    for entry in report.mappings:
        if entry.suggestions:
            version = seen[entry.mapping.name]
            insert(project, entry.mapping, version, entry.suggestions)
            fields = counted(len(entry.suggestions), "field")
            settings.log.info(f"added {fields} to {version.path}")


def describe(report: CoverageReport, *, suggest: bool, verbose: bool) -> Iterator[str]:
    """The report as lines of text."""
    for entry in report.mappings:
        if entry.error is None:
            yield from _mapping(report, entry, suggest=suggest, verbose=verbose)
            yield ""
    for total in report.totals:
        yield _total(total)
    reached = str(report.reached).capitalize() if report.reached else "no tier yet"
    yield f"The data set reaches {bold(reached)}."
    suggested = sum(len(entry.suggestions) for entry in report.mappings)
    if suggested and not suggest:
        lines = counted(suggested, "line")
        yield f"{lines} of YAML would help: `connector coverage --suggest` shows them."


def _mapping(
    report: CoverageReport, entry: MappingCoverage, *, suggest: bool, verbose: bool
) -> Iterator[str]:
    rows = counted(entry.rows, "row")
    part = f", a sample of {report.sample:g} %" if report.sample else ""
    name = bold(one_line(entry.mapping.name))
    yield f"{name} ({entry.mapping.kind}, {rows}{part}): {_tiers(entry)}"
    shown = [each for each in entry.attributes if verbose or each.filled]
    width = max((len(each.attribute) for each in shown), default=0)
    for each in shown:
        yield f"  {each.attribute:<{width}}  {_line(each)}"
    missing = [each.attribute for each in entry.attributes if each.tier and each not in shown]
    if missing:
        yield f"  {tint('missing', 'red')}: {', '.join(missing)}"
    if "traces" in entry.quality:
        yield f"  {_traces(entry.quality['traces'])}"
    if entry.short_of is not None:
        yield tint(f"  falls short of {entry.short_of}, which the mapping requires", "red")
    if suggest and entry.suggestions:
        yield f"  add to `fields:` of {entry.mapping.place.file}:"
        for suggestion in entry.suggestions:
            yield f"    {suggestion.line}"
        together = entry.suggestions[0].together
        if together is not None and together != entry.reached:
            yield f"  with these it reaches {bold(str(together).capitalize())}"


def _traces(traces: dict[str, Any]) -> str:
    unread = [each for each in traces["answers"] if each["error"] is not None]
    why = "; ".join(one_line(f"{each['mapping']}: {each['error']}") for each in unread)
    if traces["share"] is None:
        name = unread[0]["mapping"]
        return f"traced: unknown, there are no answers ({why}); `connector recommend {name}` asks"
    events = f"{traces['rows']:,} {' and '.join(f'{name}s' for name in traces['by_type'])}"
    parts = [f"{name}s {each['share']:.0%}" for name, each in traces["by_type"].items()]
    of_each = f" ({', '.join(parts)})" if len(parts) > 1 else ""
    carry = f"{traces['with_rec_id']:,} carry a rec_id"
    without = f"; without the answers of {why}" if unread else ""
    return (
        f"traced to a recommendation: {traces['share']:.0%} of {events}{of_each}, {carry}{without}"
    )


def _tiers(entry: MappingCoverage | Total) -> str:
    return ", ".join(
        tint(
            f"{str(each.tier).capitalize()} {each.score:.0%}", "green" if each.reached else "yellow"
        )
        for each in entry.tiers
    )


def _line(line: Attribute) -> str:
    tier = str(line.tier).capitalize() if line.tier else "Extra"
    status = tint(f"{line.status!s:<7}", _COLORS[line.status])
    by = line.field or ""
    if line.event_type is not None:
        by = f"{line.event_type} events" + (f" by {by}" if by else "")
    filled = f"{line.fill:>4.0%}" if line.filled else "   -"
    return f"{tier:<6}  {status}  {filled}  {one_line(by)}".rstrip()


def _total(total: Total) -> str:
    covered = [each for each in total.attributes if each.tier is not None]
    count = sum(each.status == "covered" for each in covered)
    return f"{total.kind}: {count} of {len(covered)} attributes covered; {_tiers(total)}"
