"""`connector plan`: what a sync would do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from connector.cli.options import Command, json_option, selection, shard_option
from connector.cli.settings import Settings
from connector.cli.sync import show_errors, tinted
from connector.cli.words import bold, counted, duration, echo_json, one_line, table

if TYPE_CHECKING:
    from connector.report import ChangeSample, MappingReport, Operation, RunReport
    from connector.shard import Shard

CHANGES = 2
"""The exit code of `--detailed-exitcode` where there are changes."""

_NAMES = {
    "upsert": "upserts",
    "soft_delete": "soft deletes",
    "hard_delete": "hard deletes",
    "event": "events",
}


@click.command("plan", cls=Command)
@selection
@shard_option
@click.option("--full-refresh", is_flag=True, help="Plan to read and send everything again.")
@click.option(
    "--allow-deletes",
    type=click.IntRange(min=0),
    metavar="N",
    help="Let at most so many deletes of a mapping through its guards.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it, for `sync --plan FILE` to do exactly that.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 where there are changes.")
@json_option
@click.pass_obj
def plan(
    settings: Settings,
    /,
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    shard: Shard | None,
    as_json: bool,
    detailed_exitcode: bool,
    out: Path | None,
    **options: Any,
) -> int:
    """Show what a sync would send, and why; nothing is sent."""
    from connector.plan import plan as make_plan
    from connector.shards import shard_of
    from connector.sync import SyncOptions

    project = settings.load()
    mappings = [shard_of(each, shard) for each in project.select(select, exclude)]
    target = settings.choose(project)
    how = SyncOptions(**options)
    report = make_plan(project, mappings, target=target, options=how, to_file=out)
    code = report.exit_code
    if not code and detailed_exitcode and any(entry.planned for entry in report.mappings):
        code = CHANGES
    if as_json:
        echo_json(report.to_json() | {"exit_code": code})
    else:
        for line in describe(report, samples=5 if settings.verbosity > 0 else 2):
            click.echo(line)
    show_errors(settings, report)
    if out is not None and report.plan_file is None:
        settings.log.error(f"{out} was not written: not all of this could be done")
    return code


def overview(report: RunReport) -> list[str]:
    """A plan in short: a line for each mapping, and all together."""
    names = [name for name in _NAMES if any(each.changes[name].planned for each in report.mappings)]
    header = ["mapping", *(_NAMES[name] for name in names), "not sent", "requests"]
    rows = [
        [
            entry.name,
            *(entry.changes[name].planned or None for name in names),
            _unsent(entry) or None,
            entry.forecast.requests if entry.forecast else None,
        ]
        for entry in report.mappings
    ]
    head, *lines = table(header, rows)
    return [bold(head), *lines, "", _total(report)]


def _unsent(entry: MappingReport) -> int:
    rows = entry.rows
    return rows.unchanged + rows.rejected + rows.skipped + rows.suppressed


def describe(report: RunReport, *, samples: int) -> Iterator[str]:
    """A plan as lines: each mapping, with so many samples of each operation, and all together."""
    idle = []
    for entry in report.mappings:
        if entry.status == "done" and not entry.planned:
            idle.append(entry)
            continue
        if not entry.rows.source and not entry.planned:
            yield f"{bold(entry.name)} {tinted(str(entry.status))}"
            continue
        yield from describe_mapping(entry, samples)
        yield ""
    if idle:
        width = max(len(entry.name) for entry in idle)
        for entry in idle:
            yield f"{bold(entry.name.ljust(width))}  no changes; {_not_sent(entry)}"
        yield ""
    yield _total(report)


def describe_mapping(entry: MappingReport, samples: int) -> Iterator[str]:
    """What is planned for one mapping, and why."""
    status = "" if entry.status == "done" else f" ({tinted(str(entry.status))})"
    cost = ""
    if entry.forecast is not None and entry.planned:
        cost = f" in {counted(entry.forecast.requests, 'request')}{_time(entry.forecast.seconds)}"
    yield f"{bold(entry.name)}{status}: {counted(entry.planned, 'change')}{cost}"
    for name, operation in entry.changes.items():
        if operation.planned:
            yield f"  {_NAMES[name]:<12} {operation.planned:>9,}   {_reasons(operation)}"
    if entry.rows.source:
        yield f"  not sent: {_not_sent(entry)}"
    if entry.changed_fields:
        fields = [f"{one_line(name)} {count:,}" for name, count in entry.changed_fields.items()]
        more = f" and {len(fields) - 10} more" if len(fields) > 10 else ""
        yield f"  fields that changed: {', '.join(fields[:10])}{more}"
    for name in entry.changes:
        of_kind = [sample for sample in entry.samples if sample.operation == name]
        for sample in of_kind[:samples]:
            yield f"  {_sample(sample)}"


def _reasons(operation: Operation) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in operation.reasons.items())


def _not_sent(entry: MappingReport) -> str:
    rows = entry.rows
    counts = {
        "unchanged": rows.unchanged,
        "rejected": rows.rejected,
        "skipped": rows.skipped,
        "suppressed": rows.suppressed,
    }
    parts = [f"{count:,} {name}" for name, count in counts.items() if count]
    return f"{', '.join(parts) or 'none'} of {counted(rows.source, 'row')} read"


def _sample(sample: ChangeSample) -> str:
    head = f"e.g. {sample.operation.replace('_', ' ')} {one_line(sample.key, 60)}"
    if sample.fields:
        return f"{head} ({sample.reason}): {_differences(sample)}"
    if sample.after:
        return f"{head} ({sample.reason}): {_few(sample.after)}"
    return f"{head} ({sample.reason})"


def _differences(sample: ChangeSample) -> str:
    if sample.before is None or sample.after is None:
        return ", ".join(map(one_line, sample.fields))
    before, after = sample.before, sample.after
    return ", ".join(
        f"{one_line(name)} {_value(before.get(name))} → {_value(after.get(name))}"
        for name in sample.fields
    )


def _few(row: dict[str, Any]) -> str:
    said = [(name, value) for name, value in row.items() if name not in ("uid", "id")]
    shown = [f"{one_line(name)} {_value(value)}" for name, value in said if value is not None][:4]
    return ", ".join(shown) + (", …" if len(said) > 4 else "")


def _value(value: Any) -> str:
    return one_line(json.dumps(value, ensure_ascii=False), 40)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f", {duration(seconds)} at the quota"


def _total(report: RunReport) -> str:
    planned = sum(entry.planned for entry in report.mappings)
    if not planned:
        failed = sum(entry.status != "done" for entry in report.mappings)
        if failed:
            return f"{counted(failed, 'mapping')} cannot be synced as things are."
        return f"No changes: target {report.target!r} is in step."
    forecasts = [entry.forecast for entry in report.mappings if entry.forecast is not None]
    requests = sum(forecast.requests for forecast in forecasts)
    times = [forecast.seconds for forecast in forecasts if forecast.seconds is not None]
    return (
        f"{counted(planned, 'change')} for target {report.target!r} in "
        f"{counted(requests, 'request')}{_time(sum(times) if times else None)}. {_then(report)}"
    )


def _then(report: RunReport) -> str:
    if report.plan_file is not None:
        return f"`connector sync --plan {quote(report.plan_file)}` does exactly that."
    waiting = [entry for entry in report.mappings if entry.planned]
    blocked = [entry for entry in waiting if entry.status == "blocked"]
    if not blocked:
        return "`connector sync` sends them."
    if len(blocked) == len(waiting):
        return "A guard holds them back."
    return "`connector sync` sends those that no guard holds back."
