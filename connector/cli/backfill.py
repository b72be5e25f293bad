"""`connector backfill`: the events of a window of time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from connector.cli.options import Command, Duration, json_option, shard_option
from connector.cli.progress import watching
from connector.cli.settings import Settings
from connector.cli.stopping import until_stopped
from connector.cli.sync import show_errors, summary
from connector.cli.words import bold, counted, duration, echo_json, table

if TYPE_CHECKING:
    from connector.report import ChunkReport, MappingReport, RunReport
    from connector.shard import Shard
    from connector.stop import Stop


@click.command("backfill", cls=Command)
@click.argument("name")
@click.option("--from", "start", required=True, metavar="TIME", help="The first time: 2026-03-01.")
@click.option("--to", "end", required=True, metavar="TIME", help="The time after the last.")
@click.option(
    "--chunk",
    type=Duration(),
    default="1d",
    show_default=True,
    metavar="DURATION",
    help="What is done, and remembered as done, at once.",
)
@shard_option
@click.option("--resend", is_flag=True, help="Send again what was sent before.")
@click.option("--dry-run", is_flag=True, help="Count rows, requests and time; send nothing.")
@json_option
@click.pass_obj
def backfill(
    settings: Settings,
    *,
    name: str,
    start: str,
    end: str,
    chunk: timedelta,
    shard: Shard | None,
    resend: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Send the events of a window of time, the oldest first.

    Times are UTC unless they name a zone. What is known as sent is left out. Stopped or killed, the
    same command goes on where it was; a sync of the target always goes first.
    """
    from connector.backfill import BackfillOptions
    from connector.backfill import backfill as run
    from connector.shards import shard_of
    from connector.windows import Span, parse_moment

    project = settings.load()
    mapping = shard_of(project.mapping(name), shard)
    target = settings.choose(project)
    window = Span(parse_moment(start), parse_moment(end))
    log = settings.log

    def tell(chunk: ChunkReport) -> None:
        # On a terminal there is a bar, unless more was asked for.
        if settings.verbosity > 0 or log.as_json or not sys.stderr.isatty():
            log.info(_one(chunk), event="chunk", mapping=name, **chunk.to_json())

    def work(stop: Stop) -> RunReport:
        return run(
            project,
            mapping,
            window,
            target=target,
            options=BackfillOptions(chunk=chunk, resend=resend, dry_run=dry_run),
            stop=stop,
            observer=observer,
            on_chunk=tell,
        )

    with watching(1, log, verbose=settings.verbosity > 0) as observer:
        report = until_stopped(work, log)
    entry = report.mappings[0]
    if as_json:
        echo_json(report.to_json() | {"dry_run": dry_run})
    else:
        lines = _forecast(entry) if dry_run else _done(report, entry)
        for line in lines:
            click.echo(line)
    show_errors(settings, report)
    return report.exit_code


def _one(chunk: ChunkReport) -> str:
    return (
        f"{chunk.window}: {chunk.status}, {counted(chunk.rows, 'row')}, "
        f"{chunk.acknowledged:,} acknowledged, {chunk.rejected:,} rejected"
    )


def _done(report: RunReport, entry: MappingReport) -> Iterator[str]:
    yield from summary(report)
    chunks = entry.chunks or []
    before = [chunk for chunk in chunks if chunk.status == "before"]
    done = sum(chunk.status == "done" for chunk in chunks)
    yield f"{counted(done, 'chunk')} done; {_types(entry)}"
    if before:
        yield (
            f"{counted(len(before), 'chunk')} with {counted(_rows(before), 'row')} were done by an "
            "earlier backfill; `--resend` sends them again."
        )


def _rows(chunks: list[ChunkReport]) -> int:
    return sum(chunk.rows for chunk in chunks)


def _types(entry: MappingReport) -> str:
    counts = [f"{count:,} {name}" for name, count in entry.types.items()]
    return f"events by type: {', '.join(counts) or 'none'}"


def _forecast(entry: MappingReport) -> Iterator[str]:
    header = ["from", "to", "status", "rows", "to send", "rejected", "requests", "time"]
    rows = [
        [
            str(chunk.window).partition(" to ")[0],
            str(chunk.window).partition(" to ")[2],
            "done" if chunk.status == "before" else "to do",
            chunk.rows,
            chunk.planned,
            chunk.rejected,
            chunk.requests,
            None if chunk.seconds is None else duration(chunk.seconds),
        ]
        for chunk in entry.chunks or []
    ]
    head, *lines = table(header, rows, left=3)
    yield bold(head)
    yield from lines
    yield ""
    event, forecast = entry.changes["event"], entry.forecast
    requests = forecast.requests if forecast else 0
    time = f", {duration(forecast.seconds)} at the quota" if forecast and forecast.seconds else ""
    yield (
        f"{counted(event.planned, 'event')} of {counted(entry.rows.source, 'row')} to send in "
        f"{counted(requests, 'request')}{time}; {_types(entry)}"
    )
