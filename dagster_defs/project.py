"""A project of mappings as Dagster works with it: loaded from YAML alone, synced on request."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
from pydantic import SecretStr

from connector.coverage.cover import cover
from connector.coverage.report import MappingCoverage
from connector.destination.target import Target
from connector.errors import UsageError
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.plan import plan
from connector.project import Project, load_project
from connector.rejects import ask_again
from connector.report import MappingReport, RunReport
from connector.sync import SyncOptions, sync
from dagster_defs.sync import RunLog, run_watched


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
        cancelled: Callable[[Sequence[MappingReport]], None],
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

    def plan(self, mappings: Sequence[Mapping]) -> RunReport:
        """What a sync would do. Errors as for `sync`."""
        return plan(self.project, mappings, target=self.target())

    def cover(self, mappings: Sequence[Mapping]) -> Sequence[MappingCoverage]:
        """Measure the coverage of mappings, which reads their sources and sends nothing.

        Raises:
            ConnectorError: it could not begin; what goes wrong with a mapping is in its part.
        """
        return cover(self.project, mappings, target=self.target_name).mappings

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
