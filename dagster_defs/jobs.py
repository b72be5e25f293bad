"""Jobs for what is done once, by hand, with typed config."""

from collections.abc import Mapping, Sequence

import dagster as dg
from pydantic import Field

from connector.errors import ConnectorError
from connector.mapping import mapping as plain
from connector.report import MappingReport, RunReport, Status
from connector.sync import SyncOptions
from dagster_defs.coverage import coverage_metadata
from dagster_defs.metadata import plan_metadata, row_count, run_metadata
from dagster_defs.outcome import said
from dagster_defs.project import SyncProject
from dagster_defs.sync import RunLog

_WHICH = "Names, `tag:T` or globs, as for `connector sync --select`"


class PlanConfig(dg.Config):
    """Which mappings to plan."""

    mappings: list[str] = Field(default=[], description=f"{_WHICH}; none means all.")


class CoverageConfig(dg.Config):
    """Which mappings to measure."""

    mappings: list[str] = Field(default=[], description=f"{_WHICH}; none means all.")


class FullRefreshConfig(dg.Config):
    """What is read and sent again as a whole."""

    mappings: list[str] = Field(default=[], description=f"{_WHICH}; none means all.")
    allow_deletes: int | None = Field(
        default=None, ge=0, description="Let at most so many deletes through the guards, once."
    )


class RebaselineConfig(dg.Config):
    """What is taken as sent without sending it."""

    mappings: list[str] = Field(min_length=1, description=f"{_WHICH}.")


class RetryRejectsConfig(dg.Config):
    """Which of the rows that the API refused are tried again."""

    mappings: list[str] = Field(default=[], description=f"{_WHICH}; none means all.")
    codes: list[str] = Field(
        default=[], description="Only rows refused for these reasons; none means all."
    )


def build_jobs(
    sync: SyncProject, keys: Mapping[str, dg.AssetKey], *, prefix: str, pool: str
) -> list[dg.JobDefinition]:
    """The jobs of one component; `keys` are the assets of its mappings."""
    hands = _Hands(sync, keys)

    @dg.op(name=f"{prefix}_plan_op", pool=pool)
    def plan_op(context: dg.OpExecutionContext, config: PlanConfig) -> None:
        hands.plan(context, config)

    @dg.op(name=f"{prefix}_coverage_op")
    def coverage_op(context: dg.OpExecutionContext, config: CoverageConfig) -> None:
        hands.cover(context, config)

    @dg.op(name=f"{prefix}_full_refresh_op", pool=pool)
    def full_refresh_op(context: dg.OpExecutionContext, config: FullRefreshConfig) -> None:
        options = SyncOptions(full_refresh=True, allow_deletes=config.allow_deletes)
        hands.sync(context, config.mappings, options)

    @dg.op(name=f"{prefix}_rebaseline_op", pool=pool)
    def rebaseline_op(context: dg.OpExecutionContext, config: RebaselineConfig) -> None:
        hands.sync(context, config.mappings, SyncOptions(rebaseline=True))

    @dg.op(name=f"{prefix}_retry_rejects_op", pool=pool)
    def retry_rejects_op(context: dg.OpExecutionContext, config: RetryRejectsConfig) -> None:
        hands.retry_rejects(context, config)

    return [
        _job(prefix, "plan", plan_op, "What a sync would do; nothing is sent."),
        _job(prefix, "coverage", coverage_op, "How far the data go: Good, Better, Best."),
        _job(prefix, "full_refresh", full_refresh_op, "Read everything and send it all again."),
        _job(prefix, "rebaseline", rebaseline_op, "Take what the source holds as sent."),
        _job(prefix, "retry_rejects", retry_rejects_op, "Try rows again that the API refused."),
    ]


def _job(prefix: str, name: str, op: dg.OpDefinition, description: str) -> dg.JobDefinition:
    @dg.job(name=f"{prefix}_{name}", description=description)
    def job() -> None:
        op()

    return job


class _Hands:
    """What the ops do. Keys of rows are in none of the events."""

    def __init__(self, sync: SyncProject, keys: Mapping[str, dg.AssetKey]) -> None:
        self._sync = sync
        self._keys = keys

    def plan(self, context: dg.OpExecutionContext, config: PlanConfig) -> None:
        try:
            report = self._sync.plan(self._sync.choose(config.mappings))
        except ConnectorError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        for entry in report.mappings:
            metadata = plan_metadata(entry)
            context.log_event(dg.AssetObservation(self._keys[entry.name], metadata=metadata))
        self._fail_unless_done(report.mappings)

    def cover(self, context: dg.OpExecutionContext, config: CoverageConfig) -> None:
        try:
            entries = self._sync.cover(self._sync.choose(config.mappings))
        except ConnectorError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        for entry in entries:
            if entry.error is None:
                key = self._keys[entry.mapping.name]
                metadata = coverage_metadata(entry)
                context.log_event(dg.AssetObservation(key, metadata=metadata))
        failed = [f"{each.mapping.name}: {each.error}" for each in entries if each.error]
        if failed:
            raise dg.Failure("\n".join(failed), allow_retries=False)

    def sync(
        self, context: dg.OpExecutionContext, patterns: Sequence[str], options: SyncOptions
    ) -> None:
        try:
            self._run(context, self._sync.choose(patterns), options)
        except ConnectorError as error:
            raise dg.Failure(str(error), allow_retries=False) from None

    def retry_rejects(self, context: dg.OpExecutionContext, config: RetryRejectsConfig) -> None:
        try:
            asked = self._sync.retry_rejects(self._sync.choose(config.mappings), config.codes)
            for name, rows in asked.items():
                context.log.info(f"{name}: trying {rows:,} rows again")
            if asked:
                self._run(context, self._sync.choose(list(asked)), SyncOptions())
            else:
                context.log.info("the API refused no such row")
        except ConnectorError as error:
            raise dg.Failure(str(error), allow_retries=False) from None

    def _run(
        self,
        context: dg.OpExecutionContext,
        mappings: Sequence[plain.Mapping],
        options: SyncOptions,
    ) -> None:
        watcher = RunLog()

        def note(run: RunReport) -> None:
            for entry in run.mappings:
                if entry.name in self._keys:  # erasures that waited are no mapping
                    context.log_event(self._event(entry, watcher, run.warnings))

        report = self._sync.sync(mappings, options, context.log, watcher=watcher, cancelled=note)
        note(report)
        self._fail_unless_done(report.mappings)

    def _event(
        self, entry: MappingReport, watcher: RunLog, warnings: Sequence[str]
    ) -> dg.AssetMaterialization | dg.AssetObservation:
        key = self._keys[entry.name]
        metadata = run_metadata(entry, watcher.pace(entry.name), warnings)
        if entry.status is not Status.DONE:
            return dg.AssetObservation(key, metadata=metadata)
        metadata["dagster/row_count"] = row_count(entry)
        return dg.AssetMaterialization(key, metadata=metadata)

    def _fail_unless_done(self, entries: Sequence[MappingReport]) -> None:
        failed = [said(entry) for entry in entries if entry.status is not Status.DONE]
        if failed:
            raise dg.Failure("\n".join(failed), allow_retries=False)
