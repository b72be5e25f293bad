"""`connector init`: a project to start from."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from connector.cli.options import Command
from connector.cli.settings import Settings


@click.command("init", cls=Command, short_help="Write a small project to begin with.")
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path())
@click.pass_obj
def init(settings: Settings, *, folder: Path) -> None:
    """Write a small project that runs, with data of its own, to begin with."""
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
