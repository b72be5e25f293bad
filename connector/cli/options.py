"""Options that many commands share. Those of `connector` itself may stand behind a command too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from connector.cli.settings import Settings
from connector.errors import UsageError
from connector.shard import Shard, parse_shard

_F = TypeVar("_F", bound=Callable[..., Any])


def _remember(context: click.Context, option: click.Parameter, value: Any) -> None:
    settings = context.ensure_object(Settings)
    if not value:
        return
    if option.name == "verbose":
        settings.verbosity += value
    elif option.name == "quiet":
        settings.verbosity = -1
    else:
        setattr(settings, str(option.name), value)


def _global_options(*, top: bool) -> list[click.Parameter]:
    """A flag behind the command wins over one before it, and that over the environment."""

    def option(*names: str, env: str | None = None, **settings: Any) -> click.Option:
        return click.Option(
            names,
            envvar=env if top else None,
            expose_value=False,
            hidden=not top,
            callback=_remember,
            **settings,
        )

    return [
        option(
            "--project",
            env="CONNECTOR_PROJECT",
            metavar="DIR",
            type=click.Path(path_type=Path),
            help="The folder with project.yaml [mappings; CONNECTOR_PROJECT].",
        ),
        option(
            "--target",
            env="CONNECTOR_TARGET",
            metavar="NAME",
            help="A target of project.yaml [its default_target; CONNECTOR_TARGET].",
        ),
        option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            help="How lines on stderr are written [text].",
        ),
        option("-v", "--verbose", count=True, help="Say more."),
        option("-q", "--quiet", is_flag=True, help="Say nothing but errors and results."),
        option("--debug", is_flag=True, help="Show tracebacks."),
    ]


class Command(click.Command):
    """A command that takes the options of `connector` itself as well."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.params += _global_options(top=False)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note which command it is first: errors in what follows are told of it."""
        ctx.ensure_object(Settings).command = ctx.command_path.partition(" ")[2]
        return super().parse_args(ctx, args)


class Group(click.Group):
    """The same for a group; `top` is `connector`, whose help shows those options.

    A `default` command is meant when none of its commands is named.
    """

    command_class = Command

    def __init__(
        self, *args: Any, top: bool = False, default: str | None = None, **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.params += _global_options(top=top)
        self._default = default

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which one meets them."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command first where none is named."""
        ctx.ensure_object(Settings).command = ctx.command_path.partition(" ")[2]
        named = any(each in self.commands or each in ctx.help_option_names for each in args)
        if self._default is not None and not named:
            args = [self._default, *args]
        return super().parse_args(ctx, args)


def selection(command: _F) -> _F:
    """`--select` and `--exclude`."""
    pattern = "NAME|tag:T|GLOB"
    select = click.option("--select", multiple=True, metavar=pattern, help="Only these mappings.")
    exclude = click.option("--exclude", multiple=True, metavar=pattern, help="Not these mappings.")
    return select(exclude(command))


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else on stdout."
)


class ShardOption(click.ParamType["Shard"]):
    """`3/16`."""

    name = "shard"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shard:
        """One part of several."""
        return parse_shard(str(value))


def shard_option(command: _F) -> _F:
    """`--shard`."""
    return click.option(
        "--shard",
        type=ShardOption(),
        metavar="I/N",
        help="Only this part of each mapping, by its keys; other processes do the others.",
    )(command)


class Duration(click.ParamType[timedelta]):
    """`1d`, `6h`, `30 minutes`."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """As mappings write durations."""
        from connector.mapping.models import parse_duration

        try:
            return parse_duration(value)
        except ValueError:
            raise UsageError(
                f"{value!r} is no duration", hint="write one as 1d, 6h, 90 minutes or 30s"
            ) from None
