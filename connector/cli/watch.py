"""`connector sync --watch`: one line a round."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.settings import Settings
from connector.cli.stopping import until_stopped
from connector.cli.sync import measure
from connector.cli.words import duration, moment
from connector.errors import UsageError

if TYPE_CHECKING:
    from connector.destination.target import Target
    from connector.errors import StateError
    from connector.mapping.mapping import Mapping
    from connector.project import Project
    from connector.report import MappingReport, RunReport
    from connector.stop import Stop


def run_watch(
    settings: Settings,
    project: Project,
    mappings: Sequence[Mapping],
    target: Target,
    every: timedelta,
    metrics_file: Path | None,
    *,
    as_json: bool,
) -> int:
    """Sync every so often until stopped; the exit code is that of the last round."""
    from connector.watch import watch

    if not every:
        raise UsageError("--watch needs a time between two rounds", hint="--watch 30s")

    def tell(report: RunReport) -> None:
        if metrics_file is not None:
            measure(project, target.name, metrics_file, report)
        click.echo(json.dumps(report.to_json(), ensure_ascii=False) if as_json else _line(report))
        for warning in report.warnings:
            settings.log.warning(warning)

    def trouble(error: StateError) -> None:
        settings.log.warning(error.message, error.hint)

    def work(stop: Stop) -> RunReport | None:
        return watch(
            project,
            mappings,
            target=target,
            every=every,
            stop=stop,
            on_round=tell,
            on_trouble=trouble,
        )

    report = until_stopped(work, settings.log)
    if report is None:
        return 0
    for entry in report.mappings:
        if entry.lasting and entry.error:
            settings.log.error(entry.error, entry.hint)
    return report.exit_code


def _line(report: RunReport) -> str:
    now = moment(datetime.now(UTC).replace(tzinfo=None))
    return f"{now}  {'; '.join(map(_entry, report.mappings))}"


def _entry(entry: MappingReport) -> str:
    sent = sum(operation.acknowledged for operation in entry.changes.values())
    parts = [f"{sent:,} sent"]
    if entry.rejected:
        parts.append(f"{entry.rejected:,} rejected")
    if entry.pending:
        parts.append(f"{entry.pending:,} pending")
    if entry.freshness is not None and entry.freshness.lag_seconds is not None:
        parts.append(f"lag {duration(entry.freshness.lag_seconds.p50)}")
    said = f"{entry.name}: {', '.join(parts)} in {duration(entry.seconds)}"
    return f"{said}: {entry.status}, {entry.error}" if entry.error else said
