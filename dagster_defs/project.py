"""A project of mappings as Dagster works with it: loaded from YAML alone, synced on request."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import SecretStr

from connector import erasure
from connector.backfill import BackfillOptions, backfill
from connector.control.erasures import Erasure
from connector.coverage.cover import Options, cover
from connector.coverage.history import Earlier, earlier
from connector.coverage.report import MappingCoverage
from connector.destination.target import Target
from connector.erasure import Receipt
from connector.errors import UsageError
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.plan import plan
from connector.project import Project, load_project
from connector.rejects import ask_again
from connector.report import ChunkReport, MappingReport, RunReport
from connector.stop import Stop
from connector.sync import Observer, SyncOptions, sync
from connector.windows import Span
from dagster_defs.sync import RunLog, run_watched


@dataclass(frozen=True)
class ErasureCount:
    """How an erasure by hand went, without saying of whom; times are naive UTC."""

    report: MappingReport
    unknown: int
    """How many the target did not know."""
    profiles_gone_by: datetime | None
    models_forget_by: datetime | None

    @classmethod
    def of(cls, report: MappingReport, receipts: Sequence[Receipt]) -> Self:
        """Count receipts."""
        gone = [each.profile_gone_by for each in receipts if each.profile_gone_by]
        forgotten = [each.models_forget_by for each in receipts if each.models_forget_by]
        unknown = sum(each.erasure.answer == 404 for each in receipts)
        return cls(report, unknown, max(gone, default=None), max(forgotten, default=None))


@dataclass(frozen=True, eq=False)
class SyncProject:
    """The mappings that one component is about, and where they go.

    Neither a source nor the target is touched, and no variable of theirs is needed, before
    `target`, `sync`, `plan` or `retry_rejects` is called.
    """

    project: Project
    mappings: tuple[Mapping, ...]
    target_name: str
    api_key: dg.EnvVar | None = None
    """The environment variable with the target's key, in place of what project.yaml says."""

    def choose(self, patterns: Sequence[str]) -> tuple[Mapping, ...]:
        """Those of the mappings that match; all of them without a pattern.

        Raises:
            UsageError: a pattern matches none of them.
        """
        if not patterns:
            return self.mappings
        chosen = {mapping.name for mapping in self.project.select(patterns)}
        found = tuple(mapping for mapping in self.mappings if mapping.name in chosen)
        if not found:
            raise UsageError(f"no mapping here matches {', '.join(patterns)}")
        return found

    def target(self) -> Target:
        """The target, with its variables.

        Raises:
            ConfigError, UsageError: one of them is not set, or makes no sense.
        """
        target = self.project.target(self.target_name)
        if self.api_key is None:
            return target
        value = os.environ.get(self.api_key.env_var_name)
        if not value:
            raise UsageError(f"the environment variable {self.api_key.env_var_name} is not set")
        return replace(target, api_key=SecretStr(value))

    def sync(
        self,
        mappings: Sequence[Mapping],
        options: SyncOptions,
        log: dg.DagsterLogManager,
        *,
        watcher: RunLog,
        cancelled: Callable[[RunReport], None],
    ) -> RunReport:
        """Sync in a thread of its own; see `run_watched`.

        Raises:
            ConnectorError: it could not begin.
        """
        target = self.target()
        return run_watched(
            lambda stop, observer: sync(
                self.project, mappings, target=target, options=options, stop=stop, observer=observer
            ),
            log,
            watcher=watcher,
            cancelled=cancelled,
        )

    def backfill(
        self,
        mapping: Mapping,
        window: Span,
        options: BackfillOptions,
        log: dg.DagsterLogManager,
        *,
        watcher: RunLog,
        cancelled: Callable[[RunReport], None],
        on_chunk: Callable[[ChunkReport], None] | None = None,
    ) -> RunReport:
        """Send the events of a window, in a thread of its own; `on_chunk` is called in it.

        Raises:
            ConnectorError: it could not begin.
        """
        target = self.target()
        return run_watched(
            lambda stop, observer: backfill(
                self.project,
                mapping,
                window,
                target=target,
                options=options,
                stop=stop,
                observer=observer,
                on_chunk=on_chunk,
            ),
            log,
            watcher=watcher,
            cancelled=cancelled,
        )

    def erase(self, uids: Sequence[str], log: dg.DagsterLogManager) -> ErasureCount:
        """Delete users for good, in a thread of its own; the uids are in nothing that comes back.

        Raises:
            ConnectorError: it could not begin.
        """
        target = self.target()
        receipts: list[Receipt] = []

        def work(stop: Stop, _: Observer) -> RunReport:
            report, found = erasure.erase(self.project, target, uids, stop=stop)
            receipts.extend(found)
            return report

        run = run_watched(work, log, watcher=RunLog(), cancelled=lambda _: None)
        return ErasureCount.of(run.mappings[0], receipts)

    def waiting_for_erasure(self, mapping: Mapping) -> list[str]:
        """Hashes of those whom the mapping's erasure feed lists and who are not erased yet."""
        return erasure.waiting_in_feed(self.project, self.target_name, mapping)

    def erasures(self) -> list[Erasure]:
        """The ledger of the target."""
        return erasure.ledger(self.project, self.target_name)

    def plan(self, mappings: Sequence[Mapping]) -> RunReport:
        """What a sync would do. Errors as for `sync`."""
        return plan(self.project, mappings, target=self.target())

    def cover(
        self, mappings: Sequence[Mapping], *, quality: bool | None = None
    ) -> Sequence[MappingCoverage]:
        """Measure the coverage of mappings, which reads their sources and sends nothing.

        Raises:
            ConnectorError: it could not begin; what goes wrong with a mapping is in its part.
        """
        options = Options(quality=quality)
        return cover(self.project, mappings, target=self.target_name, options=options).mappings

    def coverage_trend(self, mapping: Mapping) -> list[Earlier]:
        """Earlier reports of a mapping's coverage, the oldest first.

        Raises:
            StateError: the control store cannot be used.
        """
        control = erasure.open_control(self.project, self.target_name)
        try:
            return earlier(control, mapping.name)
        finally:
            control.close()

    def retry_rejects(self, mappings: Sequence[Mapping], codes: Sequence[str]) -> dict[str, int]:
        """Have the next sync try again what the API refused: rows by mapping, where any."""
        asked = ask_again(self.project, mappings, target=self.target_name, codes=codes)
        return {name: rows for name, rows in asked.items() if rows}


def open_project(
    folder: Path,
    *,
    target: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    api_key: dg.EnvVar | None = None,
) -> SyncProject:
    """Load a project folder.

    Raises:
        ConfigError: with every mistake in its files, each at its place.
        UsageError: no such target, or nothing to sync among what is selected.
    """
    project = load_project(folder)
    name = target or os.environ.get("CONNECTOR_TARGET") or project.default_target
    if name not in project.target_names:
        name = project.target(name).name  # says what is wrong
    selected = project.select(select, exclude)
    mappings = tuple(each for each in selected if each.kind is not Kind.RECOMMENDATIONS)
    if not mappings:
        raise UsageError("none of the selected mappings is synced: they ask for recommendations")
    return SyncProject(project, mappings, name, api_key)
