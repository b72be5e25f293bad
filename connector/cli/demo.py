"""`connector demo`: the whole round on generated data and the sandbox."""

from __future__ import annotations

import click

from connector.cli.options import Command


@click.command("demo", cls=Command)
def demo() -> None:
    """The whole round on generated data and the sandbox."""
