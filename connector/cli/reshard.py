"""`connector reshard`: cut a mapping into other shards."""

from __future__ import annotations

import click

from connector.cli.options import Command, json_option
from connector.cli.settings import Settings
from connector.cli.words import counted, echo_json


@click.command("reshard", cls=Command, short_help="Cut a mapping into other shards.")
@click.argument("name")
@click.option(
    "--into", type=click.IntRange(min=1), required=True, metavar="N", help="How many; 1 is whole."
)
@click.option("--anew", is_flag=True, help="Go on without state that is not on this machine.")
@json_option
@click.pass_obj
def reshard(settings: Settings, *, name: str, into: int, anew: bool, as_json: bool) -> None:
    """Cut a mapping into so many shards; nothing is sent, and nothing forgotten.

    The state of all its shards has to be on this machine, and none of them being synced.
    """
    from connector.reshard import reshard as cut

    project = settings.load()
    target = settings.target_name(project)
    done = cut(project, target, project.mapping(name), into, anew=anew)
    if as_json:
        states = [{"name": each.name, "keys": each.keys} for each in done]
        document = {"schema_version": 1, "command": "reshard", "target": target, "mapping": name}
        echo_json(document | {"shards": into, "states": states})
        return
    if not done:
        click.echo(f"{name} is cut like that already.")
        return
    for each in done:
        click.echo(f"{each.name}: {counted(each.keys, 'row')}")
    if into > 1:
        click.echo(
            f"Sync it with `--shard 1/{into}` and so on; its files may move to other machines."
        )
