"""`connector init`: a project to start from, or a mapping drafted from a table."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.options import Command
from connector.cli.settings import Settings
from connector.cli.words import counted
from connector.errors import UsageError

if TYPE_CHECKING:
    from connector.drafting import Draft
    from connector.project import Project

_KINDS = ("users", "events")


@click.command("init", cls=Command, short_help="Write a small project, or draft a mapping.")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
@click.option("--from", "origin", metavar="SOURCE.TABLE", help="Draft a mapping of this table.")
@click.option("--kind", type=click.Choice(_KINDS), help="What its rows are.")
@click.option("--name", metavar="NAME", help="The name of the mapping [the table's].")
@click.option("--key", metavar="COLUMN", help="The column that names the rows [found out].")
@click.pass_obj
def init(
    settings: Settings,
    *,
    folder: Path | None,
    origin: str | None,
    kind: str | None,
    name: str | None,
    key: str | None,
) -> None:
    """Write a small project that runs, with data of its own, to begin with.

    With --from, look at a table of this project instead, and draft a mapping of it: a valid file
    to read through. Nothing is ever overwritten.
    """
    if origin is not None:
        if folder is not None:
            raise UsageError("a mapping is drafted into the project: leave out the folder")
        if kind is None:
            raise UsageError("are its rows users or events?", hint="add --kind users or events")
        _draft(settings, origin, kind, name, key)
        return
    for option, given in (("--kind", kind), ("--name", name), ("--key", key)):
        if given is not None:
            raise UsageError(f"{option} goes with --from", hint="--from SOURCE.TABLE")
    _start(settings, folder or Path())


def _start(settings: Settings, folder: Path) -> None:
    from connector.starter import write_starter

    for file in write_starter(folder):
        click.echo(f"wrote {file}")
    if settings.verbosity < 0:
        return
    click.echo("\nNext:")
    if folder != Path():
        click.echo(f"  cd {shlex.quote(str(folder))}")
    click.echo("  connector sandbox &    # the API, on this machine")
    click.echo("  connector plan         # what would be sent, and why")
    click.echo("  connector sync         # send it; again, and nothing is sent")


def _draft(settings: Settings, origin: str, kind: str, name: str | None, key: str | None) -> None:
    from connector.drafting import Wanted, draft_mapping
    from connector.mapping.rules import Kind

    project = settings.load()
    source, table = _split(project, origin)
    draft = draft_mapping(project, Wanted(source, table, Kind(kind), name, key))
    draft.write()
    click.echo(f"wrote {draft.file}")
    for warning in draft.warnings:
        settings.log.warning(warning)
    if settings.verbosity >= 0:
        for line in _said(draft):
            click.echo(line)


def _split(project: Project, origin: str) -> tuple[str, str]:
    """The source and the table: names of sources may hold dots, too."""
    names = sorted(project.source_names, key=len, reverse=True)
    source = next((each for each in names if origin.startswith(f"{each}.")), None)
    if source is None:
        known = ", ".join(project.source_names) or "none"
        raise UsageError(
            f"{origin!r} begins with no source of the project",
            hint=f"write SOURCE.TABLE; sources: {known}",
        )
    return source, origin.removeprefix(f"{source}.")


def _said(draft: Draft) -> list[str]:
    fields = counted(draft.sent, "field")
    offered = f"{draft.offered} more to choose from"
    personal = f", {draft.personal} personal and left out" if draft.personal else ""
    name = draft.file.stem
    return [
        f"{fields} after a look at {counted(draft.rows, 'row')}; {offered}{personal}.",
        "\nNext: read it through, then",
        f"  connector plan --select {shlex.quote(name)}",
    ]
