"""`connector recommend`: ask for recommendations, and write the answers back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector.cli.options import Command, json_option
from connector.cli.progress import watching
from connector.cli.settings import Settings
from connector.cli.stopping import until_stopped
from connector.cli.sync import show_errors
from connector.cli.words import counted, duration, echo_json

if TYPE_CHECKING:
    from connector.report import MappingReport, RunReport
    from connector.stop import Stop


@click.command("recommend", cls=Command)
@click.argument("name")
@click.option(
    "--fresh", is_flag=True, help="Ask for every row anew, though a run was left unfinished."
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Ask for at most so many rows; the others stay pending.",
)
@json_option
@click.pass_obj
def recommend(
    settings: Settings, /, *, name: str, fresh: bool, limit: int | None, as_json: bool
) -> int:
    """Run a recommendations mapping and write the answers where it says.

    A run that was stopped or killed is gone on with; otherwise every row is asked for anew.
    """
    from connector import recommend as road

    project = settings.load()
    mapping = project.mapping(name)
    target = settings.choose(project)
    options = road.RecommendOptions(fresh=fresh, limit=limit)

    def work(stop: Stop) -> RunReport:
        return road.recommend(
            project, mapping, target=target, options=options, stop=stop, observer=observer
        )

    with watching(1, settings.log, verbose=settings.verbosity > 0) as observer:
        report = until_stopped(work, settings.log)
    if as_json:
        echo_json(report.to_json())
    else:
        for line in _lines(report.mappings[0]):
            click.echo(line)
    show_errors(settings, report)
    return report.exit_code


def _lines(entry: MappingReport) -> list[str]:
    counts = entry.recommendations
    if counts is None or entry.status in ("failed", "locked"):
        return []
    asked = f"{counted(counts.answered, 'request')} answered in {duration(entry.seconds)}"
    others = {
        "answered before": entry.rows.unchanged,
        "rejected": entry.rejected,
        "suppressed": entry.rows.suppressed,
        "repeated": entry.rows.skipped,
        "pending": counts.pending,
        "retries": entry.http.retries,
    }
    more = [f"{count:,} {what}" for what, count in others.items() if count]
    lines = [", ".join([asked, *more])]
    if counts.written:
        lines.append(f"{counted(counts.written, 'row')} written to {counts.write_to}")
    if entry.rejected:
        lines.append(f"`connector rejects --select {entry.name}` shows which were refused, and why")
    return lines
