"""`connector sync`: bring the target in step with the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.options import Command, Duration, json_option, selection, shard_option
from connector.cli.progress import watching
from connector.cli.settings import Settings
from connector.cli.stopping import until_stopped
from connector.cli.words import bold, counted, duration, echo_json, table, tint
from connector.errors import UsageError
from connector.shard import split_name

if TYPE_CHECKING:
    from connector.destination.target import Target
    from connector.mapping.mapping import Mapping
    from connector.planfile import PlanFile
    from connector.project import Project
    from connector.report import MappingReport, RunReport
    from connector.shard import Shard
    from connector.stop import Stop
    from connector.sync import SyncOptions


@click.command("sync", cls=Command)
@selection
@shard_option
@click.option("--full-refresh", is_flag=True, help="Read and send everything again.")
@click.option("--rebaseline", is_flag=True, help="Take what is there as sent, and send nothing.")
@click.option(
    "--allow-deletes",
    type=click.IntRange(min=0),
    metavar="N",
    help="Let at most so many deletes of a mapping through its guards.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Send at most so many rows of each mapping; the others stay pending.",
)
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Do what `plan --out FILE` said and nothing else, or nothing where things have changed.",
)
@click.option(
    "--watch",
    type=Duration(),
    metavar="DURATION",
    help="Do it again and again, so often: 30s, 5 minutes.",
)
@click.option(
    "--metrics-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the last run of every mapping as a Prometheus text file.",
)
@json_option
@click.pass_obj
def sync(
    settings: Settings,
    /,
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    plan_file: Path | None,
    shard: Shard | None,
    watch: timedelta | None,
    metrics_file: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Send what is new, changed or gone, and nothing else.

    The first Ctrl-C finishes what is in flight and leaves the rest to the next sync.
    """
    from connector.shards import shard_of
    from connector.sync import SyncOptions

    otherwise = any(value not in (None, False) for value in options.values())
    if watch is not None and (otherwise or plan_file is not None):
        raise UsageError("--watch goes with no other way of syncing")
    if plan_file is not None and (otherwise or select or exclude or shard):
        raise UsageError(
            "--plan says itself which mappings are synced, and how",
            hint="give these options to `connector plan --out FILE`",
        )
    project = settings.load()
    if plan_file is not None:
        report = _follow(settings, project, plan_file)
        target = settings.choose(project)
    else:
        mappings = [shard_of(each, shard) for each in project.select(select, exclude)]
        target = settings.choose(project)
        if watch is not None:
            from connector.cli.watch import run_watch

            return run_watch(
                settings, project, mappings, target, watch, metrics_file, as_json=as_json
            )
        report = run_sync(settings, project, mappings, target, SyncOptions(**options))
    if metrics_file is not None:
        measure(project, target.name, metrics_file, report)
    show_run(settings, report, as_json=as_json)
    return report.exit_code


def _follow(settings: Settings, project: Project, file: Path) -> RunReport:
    from connector.follow import planned_mappings
    from connector.planfile import read_plan

    plan = read_plan(file)
    mappings = planned_mappings(project, plan)
    return run_sync(settings, project, mappings, settings.choose(project), plan.options, plan)


def run_sync(
    settings: Settings,
    project: Project,
    mappings: Sequence[Mapping],
    target: Target,
    options: SyncOptions,
    plan: PlanFile | None = None,
) -> RunReport:
    """Sync while a person watches, who may stop it."""
    from connector import sync as road

    log = settings.log

    def work(stop: Stop) -> RunReport:
        return road.sync(
            project,
            mappings,
            target=target,
            options=options,
            plan=plan,
            stop=stop,
            observer=observer,
        )

    with watching(len(mappings), log, verbose=settings.verbosity > 0) as observer:
        return until_stopped(work, log)


def measure(project: Project, target: str, file: Path, report: RunReport) -> None:
    """Write the metrics of a target; where that fails, the report says so."""
    from connector.control.store import ControlStore
    from connector.errors import StateError
    from connector.listeners.prometheus import write_metrics

    try:
        control = ControlStore(project.state_path / target, target, project.control_url)
        try:
            write_metrics(file, control)
        finally:
            control.close()
    except StateError as error:
        report.warnings.append(f"metrics: {error}")


def show_run(settings: Settings, report: RunReport, *, as_json: bool) -> None:
    """The report of a sync: the document, or a line for each mapping; errors go to stderr."""
    if as_json:
        echo_json(report.to_json())
    else:
        for line in summary(report):
            click.echo(line)
    show_errors(settings, report)
    if not as_json and settings.verbosity >= 0:
        for line in _next_steps(report):
            click.echo(line)


_STATUS_COLORS = {"done": "green", "incomplete": "yellow", "blocked": "yellow"}


def tinted(status: str) -> str:
    """A status in its colour."""
    return tint(status, _STATUS_COLORS.get(status, "red"))


def summary(report: RunReport) -> list[str]:
    """A line for each mapping and one for all; columns with nothing in them are left out."""
    columns = [(name, counts) for name, counts in _columns(report.mappings) if any(counts)]
    header = ["mapping", "status", *(name for name, _ in columns), "requests", "seconds"]
    rows = [
        [
            entry.name,
            str(entry.status),
            *(counts[position] or None for _, counts in columns),
            entry.http.requests,
            f"{entry.seconds:.1f}",
        ]
        for position, entry in enumerate(report.mappings)
    ]
    head, *lines = table(header, rows, left=2)
    status_at = head.index("status")
    colored = [
        line[:status_at] + line[status_at:].replace(entry.status, tinted(entry.status), 1)
        for line, entry in zip(lines, report.mappings, strict=True)
    ]
    return [bold(head), *colored, "", _total(report)]


def _columns(entries: Sequence[MappingReport]) -> list[tuple[str, list[int]]]:
    def acknowledged(operation: str) -> list[int]:
        return [entry.changes[operation].acknowledged for entry in entries]

    return [
        ("read", [entry.rows.source for entry in entries]),
        ("unchanged", [entry.rows.unchanged for entry in entries]),
        ("upserts", acknowledged("upsert")),
        ("soft deletes", acknowledged("soft_delete")),
        ("hard deletes", acknowledged("hard_delete")),
        ("events", acknowledged("event")),
        ("adopted", [entry.adopted for entry in entries]),
        ("pending", [entry.pending for entry in entries]),
        ("rejected", [entry.rejected for entry in entries]),
        ("skipped", [entry.rows.skipped for entry in entries]),
        ("suppressed", [entry.rows.suppressed for entry in entries]),
        ("retries", [entry.http.retries for entry in entries]),
    ]


def _total(report: RunReport) -> str:
    rows = sum(
        operation.acknowledged for entry in report.mappings for operation in entry.changes.values()
    )
    requests = sum(entry.http.requests for entry in report.mappings)
    seconds = sum(entry.seconds for entry in report.mappings)
    return (
        f"{counted(rows, 'row')} acknowledged by target {report.target!r} in "
        f"{counted(requests, 'request')}, {duration(seconds)}"
    )


def show_errors(settings: Settings, report: RunReport) -> None:
    """What went wrong with single mappings, each with its way out; and who could not be told."""
    for warning in report.warnings:
        settings.log.warning(warning)
    for entry in report.mappings:
        for warning in entry.warnings:
            settings.log.warning(f"{entry.name}: {warning}")
        if entry.error is not None:
            say = settings.log.warning if entry.status == "incomplete" else settings.log.error
            say(_named(entry.name, entry.error), entry.hint)
        elif entry.too_many_rejects:
            share = entry.rejected / max(entry.rows.source, 1)
            settings.log.error(
                f"{entry.name}: {counted(entry.rejected, 'row')} rejected, {share:.1%} of those "
                "read, more than `max_reject_percent`",
                f"see why with `connector rejects --select {split_name(entry.name)[0]}`",
            )


def _named(mapping: str, error: str) -> str:
    """An error with the mapping it is about; several mistakes of its file stand on lines below."""
    if repr(mapping) in error:
        return error
    lines = error.splitlines()
    return f"{mapping}: {error}" if len(lines) < 2 else "\n  ".join([f"{mapping}:", *lines])


def _next_steps(report: RunReport) -> list[str]:
    steps = []
    rejected = sum(entry.rejected for entry in report.mappings)
    if rejected:
        rows = counted(rejected, "row was", "rows were")
        steps.append(f"{rows} rejected; `connector rejects` shows which, and why.")
    pending = sum(entry.pending for entry in report.mappings if entry.status != "blocked")
    if pending:
        rows = counted(pending, "row is", "rows are")
        steps.append(f"{rows} pending; the next `connector sync` sends them.")
    return steps
