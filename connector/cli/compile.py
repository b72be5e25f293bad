"""`connector compile` and `connector schema`: what a mapping becomes, and how one is written."""

from __future__ import annotations

import json

import click

from connector.cli.options import Command
from connector.cli.settings import Settings


@click.command("compile", cls=Command)
@click.argument("name")
@click.pass_obj
def compile_(settings: Settings, *, name: str) -> None:
    """Print the SQL that a mapping becomes.

    It is DuckDB's, over a table `source` with the columns of the mapping's source: one row for each
    of its rows, with key, payload, fingerprint, verdict and violation.
    """
    from connector.prepare import bind

    project = settings.load()
    with bind(project, project.mapping(name)) as bound:
        click.echo(bound.compiled.preview())


@click.command("schema", cls=Command, short_help="Print the JSON Schema of the YAML files.")
@click.argument("what", type=click.Choice(["mapping", "project"]), default="mapping")
def schema(*, what: str) -> None:
    """Print the JSON Schema of mapping files, or of project.yaml, for editors."""
    from connector.mapping.schema import mapping_schema
    from connector.projectfile import project_schema

    document = mapping_schema() if what == "mapping" else project_schema()
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
