"""`connector sandbox`: serve the API locally."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.options import Command
from connector.errors import ConnectorError, UsageError

if TYPE_CHECKING:
    from connector.sandbox import Settings

FAULT_HELP = (
    "Faults as name=rate, joined by commas: e503=0.05, reset, reset_after, hang, hang_after, "
    "drip, truncate, garbage, no_body, redirect; and latency=20ms, capacity=32, drip_seconds=2."
)


@click.command("sandbox", cls=Command)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8787,
    show_default=True,
    help="Port to listen on; 0 for any.",
)
@click.option(
    "--db",
    "database",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(".sandbox/api.sqlite"),
    show_default=True,
    help="SQLite file that keeps what arrives.",
)
@click.option("--memory", is_flag=True, help="Keep what arrives only until the sandbox stops.")
@click.option("--api-key", default="sandbox", help="The key that may do everything [sandbox].")
@click.option("--read-only-key", help="A key that may only ask for recommendations: 403 elsewhere.")
@click.option(
    "--upsert",
    type=click.Choice(["merge", "replace"]),
    default="merge",
    show_default=True,
    help="What an upsert does with stored fields it does not name.",
)
@click.option("--max-batch", default=1000, show_default=True, help="Most events in a request.")
@click.option("--max-bytes", default=10_000_000, show_default=True, help="Most bytes in a body.")
@click.option("--rate-limit", type=float, help="Requests a second; 429 above. None by default.")
@click.option("--burst", type=int, help="Requests at once within the rate limit [one second's].")
@click.option(
    "--retry-after",
    default="seconds",
    show_default=True,
    help="Form of Retry-After with a 429: seconds, date, none, or the text to send.",
)
@click.option(
    "--rate-headers",
    type=click.Choice(["none", "ietf", "x"]),
    default="none",
    show_default=True,
    help="Speak of the quota in RateLimit or in X-RateLimit-* headers.",
)
@click.option("--fault", "faults", multiple=True, help=FAULT_HELP)
@click.option("--seed", default=0, show_default=True, help="Seed of the faults.")
@click.option("--hang-seconds", default=60.0, show_default=True, help="Longest a hang lasts.")
def sandbox(**options: Any) -> None:
    """Serve the API locally, with its documented rules.

    The page at /_sandbox/ shows what arrived. Stop it with Ctrl-C; what arrived is kept.
    """
    from connector.sandbox import NotASandboxFile, address, is_loopback, listen, serve

    settings = _settings(options)
    try:
        listening = listen(settings.host, settings.port)
    except OSError as error:
        raise _cannot_listen(settings, error) from None
    place = f"sandbox at {address(settings.host, listening.getsockname()[1])}/v1"
    if not is_loopback(settings.host):
        place += ", open to other machines"
    try:
        serve(settings, listening, lambda: click.echo(place, err=True))
    except NotASandboxFile as error:
        raise ConnectorError(str(error), hint="choose another file with --db") from None


def _settings(options: dict[str, Any]) -> Settings:
    from connector.sandbox import Faults, Quota, Settings

    faults = ",".join(options["faults"])
    try:
        Faults.parse(faults, seed=0, hang_seconds=0)
        return Settings(
            host=options["host"],
            port=options["port"],
            database=None if options["memory"] else options["database"],
            api_key=options["api_key"],
            read_only_key=options["read_only_key"],
            upsert=options["upsert"],
            max_batch=options["max_batch"],
            max_bytes=options["max_bytes"],
            quota=Quota(
                options["rate_limit"],
                options["burst"],
                options["retry_after"],
                options["rate_headers"],
            ),
            faults=faults,
            seed=options["seed"],
            hang_seconds=options["hang_seconds"],
        )
    except ValueError as error:
        raise UsageError(str(error), hint="see connector sandbox --help") from None


def _cannot_listen(settings: Settings, error: OSError) -> ConnectorError:
    if error.errno == errno.EADDRINUSE:
        return ConnectorError(
            f"port {settings.port} on {settings.host} is taken",
            hint="choose another with --port, or stop the sandbox that runs there",
        )
    reason = error.strerror or error
    return ConnectorError(
        f"cannot listen on {settings.host} port {settings.port}: {reason}",
        hint="choose another --host or --port",
    )
