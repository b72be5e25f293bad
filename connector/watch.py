"""Keeping mappings in step until stopped: one small sync after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from connector.destination.target import Target
from connector.errors import StateError
from connector.mapping.mapping import Mapping
from connector.project import Project
from connector.report import RunReport
from connector.stop import Stop
from connector.sync import Observer, sync, synced


def watch(
    project: Project,
    mappings: Sequence[Mapping],
    *,
    target: Target,
    every: timedelta,
    stop: Stop,
    on_round: Callable[[RunReport], None],
    on_trouble: Callable[[StateError], None],
    observer: Observer | None = None,
) -> RunReport | None:
    """Sync again and again, a round beginning `every` so often, or at once where one took longer.

    What may pass does not end it: a source, a control store (`on_trouble`) or an API that is away,
    a mapping that another process is syncing, a guard. What will not, does: a target that refuses
    us, a mapping that is wrong. Returns the report of the last round; None where there is none.

    Raises:
        UsageError: there is nothing to sync.
    """
    synced(mappings)
    report: RunReport | None = None
    while not stop.requested:
        began = time.monotonic()
        try:
            report = sync(project, mappings, target=target, stop=stop, observer=observer)
        except StateError as error:
            on_trouble(error)
        else:
            on_round(report)
            if any(entry.lasting for entry in report.mappings):
                break
        stop.wait(max(0.0, every.total_seconds() - (time.monotonic() - began)))
    return report
