"""`connector rejects`: rows that were refused, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.options import Command, Group, json_option, selection
from connector.cli.settings import Settings
from connector.cli.sync import run_sync, show_run
from connector.cli.words import bold, counted, echo_json, table
from connector.errors import UsageError

if TYPE_CHECKING:
    from connector.mapping.mapping import Mapping
    from connector.project import Project

code_option = click.option("--code", metavar="CODE", help="Only rows refused for this reason.")


@click.group("rejects", cls=Group, default="list")
def rejects() -> None:
    """Look at rejected rows, try them again, or export them.

    Without a command of its own it lists them, with the options of `list`.
    """


@rejects.command("list", cls=Command)
@selection
@code_option
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many rows of each mapping are shown, the latest first.",
)
@json_option
@click.pass_obj
def list_(
    settings: Settings,
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    code: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Count rejected rows by reason and show some of them."""
    project = settings.load()
    mappings = project.select(select, exclude)
    target = settings.target_name(project)
    entries = list(_look(project, target, mappings, code, limit))
    if as_json:
        document = {"schema_version": 1, "command": "rejects list", "target": target}
        echo_json(document | {"exit_code": 0, "mappings": entries})
        return
    found = [entry for entry in entries if entry["rejected"]]
    for entry in found:
        for line in _lines(entry):
            click.echo(line)
        click.echo()
    if found:
        click.echo(
            "Rows refused by a rule are judged anew by every sync. Those refused by the API wait "
            "for a change\nof the row or the mapping, or for `connector rejects retry`."
        )
    else:
        reason = f" for {code!r}" if code else ""
        click.echo(f"No row is rejected{reason} at target {target!r}.")


def _look(
    project: Project, target: str, mappings: Sequence[Mapping], code: str | None, limit: int
) -> Iterator[dict[str, Any]]:
    from connector.shards import states
    from connector.snapshot.rejects import count_rejects, list_rejects, open_rejects
    from connector.snapshot.store import StatePaths

    folder = project.state_path / target
    for mapping in states(folder, mappings):
        with open_rejects(StatePaths(folder, mapping.name)) as store:
            counts = [] if store is None else count_rejects(store)
            by_code = [
                {"code": name, "field": field, "rows": rows}
                for name, field, rows in counts
                if code in (None, name)
            ]
            yield {
                "name": mapping.name,
                "rejected": sum(each["rows"] for each in by_code),
                "by_code": by_code,
                "rejects": [] if store is None else list_rejects(store, code=code, limit=limit),
            }


def _lines(entry: dict[str, Any]) -> Iterator[str]:
    yield f"{bold(entry['name'])}: {counted(entry['rejected'], 'row')} rejected"
    counts = [[each["code"], each["field"], each["rows"]] for each in entry["by_code"]]
    for line in table(["reason", "field", "rows"], counts, left=2):
        yield f"  {line}"
    rows = [
        [_key(row), row["code"], row["field"] or None, row["message"], row["attempts"]]
        for row in entry["rejects"]
    ]
    if rows:
        yield ""
        for line in table(["key", "reason", "field", "message", "attempts"], rows, left=4):
            yield f"  {line}"


def _key(row: dict[str, Any]) -> str:
    return "(none)" if row["key"] is None else row["key"] or "(empty)"


@rejects.command("retry", cls=Command)
@selection
@code_option
@json_option
@click.pass_obj
def retry(
    settings: Settings,
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    code: str | None,
    as_json: bool,
) -> int:
    """Send rows again that the API refused, by a sync of their mappings.

    Rows refused by a rule need no retry: every sync judges them anew.
    """
    from connector.mapping.rules import Kind
    from connector.rejects import ask_again
    from connector.report import RunReport
    from connector.shards import states
    from connector.sync import SyncOptions

    project = settings.load()
    mappings = project.select(select, exclude)
    target = settings.choose(project)
    asked = ask_again(project, mappings, target=target.name, codes=[code] if code else [])
    here = states(project.state_path / target.name, mappings)
    waiting = [mapping for mapping in here if asked.get(mapping.name)]
    chosen = [mapping for mapping in waiting if mapping.kind is not Kind.RECOMMENDATIONS]
    for mapping in waiting:
        if mapping not in chosen:
            rows = counted(asked.pop(mapping.name), "row")
            settings.log.info(f"`connector recommend {mapping.name}` tries {rows} again")
    report = RunReport("sync", "", target.name)
    if chosen:
        settings.log.info(f"trying {counted(sum(asked.values()), 'row')} again")
        report = run_sync(settings, project, chosen, target, SyncOptions())
    report.command = "rejects retry"
    if chosen or as_json:
        show_run(settings, report, as_json=as_json)
    elif not waiting:
        click.echo(
            f"The API of target {target.name!r} refused no such row. Rows refused by a rule are "
            "judged anew by every sync."
        )
    return report.exit_code


@rejects.command("export", cls=Command)
@selection
@code_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "parquet"]),
    default="csv",
    show_default=True,
    help="How rows are written.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to; stdout by default.",
)
@click.pass_obj
def export(
    settings: Settings,
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    code: str | None,
    form: str,
    output: Path | None,
) -> None:
    """Write all rejected rows, for a spreadsheet or another program.

    In CSV a cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    from connector.cli.export import write_rejects

    if form == "parquet" and output is None and sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal", hint="name a file by --output")
    project = settings.load()
    mappings = project.select(select, exclude)
    target = settings.target_name(project)
    count = write_rejects(_all(project, target, mappings, code), form, output)
    where = output or "stdout"
    settings.log.info(f"{counted(count, 'rejected row')} of target {target!r} written to {where}")


def _all(
    project: Project, target: str, mappings: Sequence[Mapping], code: str | None
) -> Iterator[dict[str, Any]]:
    from connector.shards import states
    from connector.snapshot.rejects import list_rejects, open_rejects
    from connector.snapshot.store import StatePaths

    folder = project.state_path / target
    for mapping in states(folder, mappings):
        with open_rejects(StatePaths(folder, mapping.name)) as store:
            if store is not None:
                for row in list_rejects(store, code=code):
                    yield {"target": target, "mapping": mapping.name, **row}
