"""`SyncMappingsComponent`: a folder of mappings as a Dagster component."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from dagster.components.resolved.core_models import OpSpec
from dagster.components.utils.translation import TranslationFn, TranslationFnResolver

from connector.errors import ConnectorError
from connector.mapping.mapping import Mapping
from connector.report import RunReport, Status
from dagster_defs import names
from dagster_defs.assets import asset_spec, table_metadata, table_specs, with_lineage
from dagster_defs.automation import Schedules, SyncFailure, build_failure_sensor, build_schedule
from dagster_defs.backfill import (
    BackfillConfig,
    Backfills,
    backfill_spec,
    build_backfill_job,
    can_be_backfilled,
    run_backfill,
)
from dagster_defs.checks import OnTooManyRejects, check_specs, evaluate
from dagster_defs.coverage import build_coverage_check, latest_coverage
from dagster_defs.erasure import (
    ErasureFeeds,
    build_erase_job,
    build_erasure_check,
    build_erasure_sensor,
)
from dagster_defs.jobs import build_jobs
from dagster_defs.metadata import row_count, run_metadata
from dagster_defs.outcome import Retries, raise_for_error, raise_unless_done
from dagster_defs.project import SyncProject, open_project
from dagster_defs.scaffolder import SyncMappingsScaffolder
from dagster_defs.sync import RunLog, SyncConfig

Yielded = dg.MaterializeResult[Any] | dg.AssetCheckResult


def _folder(context: dg.ResolutionContext, path: str) -> Path:
    return context.resolve_source_relative_path(context.resolve_value(path, as_type=str))


def _variable(_: dg.ResolutionContext, name: str | None) -> dg.EnvVar | None:
    if name is None:
        return None
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        # What was written may be the key itself: it is not repeated.
        raise ValueError("`api_key` takes the name of an environment variable, not the key")
    return dg.EnvVar(name)


@dg.scaffold_with(SyncMappingsScaffolder)
@dataclass(kw_only=True)
class SyncMappingsComponent(dg.Component, dg.Resolvable):
    """Keeps a personalization platform in step with the warehouse: one asset for each mapping.

    Loading reads YAML and nothing else. To change what an asset looks like, give `translation`, or
    override `get_asset_spec` in a subclass; to do something before or after a sync, override
    `execute`; to be told of failures, override `on_failure`.
    """

    project: Annotated[
        Path,
        dg.Resolver(
            _folder,
            model_field_type=str,
            description="The folder with project.yaml; relative to the file that says so.",
            examples=["{{ context.project_root }}/mappings"],
        ),
    ]
    name: Annotated[
        str,
        dg.Resolver.default(
            description="First part of the asset keys, group, and prefix of jobs and schedules."
        ),
    ] = "sequen"
    target: Annotated[
        str | None,
        dg.Resolver.default(
            description="The target; left out: CONNECTOR_TARGET, or the project's default."
        ),
    ] = None
    select: Annotated[
        Sequence[str],
        dg.Resolver.default(
            description="Mappings by name, `tag:T` or glob; none means all.",
            examples=[["users", "tag:core"]],
        ),
    ] = ()
    exclude: Annotated[
        Sequence[str], dg.Resolver.default(description="Mappings that are left out.")
    ] = ()
    api_key: Annotated[
        dg.EnvVar | None,
        dg.Resolver(
            _variable,
            model_field_type=str | None,
            inject_before_resolve=False,
            description="The name of the environment variable with the target's key, read when a "
            "sync runs; left out: as project.yaml says.",
            examples=["SEQUEN_API_KEY"],
        ),
    ] = None
    on_too_many_rejects: Annotated[
        OnTooManyRejects,
        dg.Resolver.default(
            description="What more rejects than `max_reject_percent` are: a failed check that "
            "warns, is an error, or blocks downstream assets; or the failure of the run."
        ),
    ] = "error"
    retries: Annotated[
        Retries,
        dg.Resolver.default(description="When the API is out, or another process syncs."),
    ] = field(default_factory=Retries)
    schedules: Annotated[
        Schedules,
        dg.Resolver.default(description="What becomes of `schedule:` in the mappings."),
    ] = field(default_factory=Schedules)
    backfills: Annotated[
        Backfills,
        dg.Resolver.default(
            description="Partitions of events mappings with a cursor: by day or hour, since when."
        ),
    ] = field(default_factory=Backfills)
    erasure_feeds: Annotated[
        ErasureFeeds,
        dg.Resolver.default(description="How feeds of erasures are watched."),
    ] = field(default_factory=ErasureFeeds)
    fresh_within_hours: Annotated[
        float,
        dg.Resolver.default(
            description="How far the cursor of events may be behind before a check warns."
        ),
    ] = 24.0
    coverage_every_hours: Annotated[
        float | None,
        dg.Resolver.default(
            description="How old a coverage report may be before a sync that reads the whole "
            "source measures again; null: never."
        ),
    ] = 24.0
    jobs: Annotated[
        bool, dg.Resolver.default(description="Whether there are jobs for one-off work.")
    ] = True
    declare_tables: Annotated[
        bool,
        dg.Resolver.default(
            description="Whether the tables that mappings read are declared as assets, for lineage "
            "where nothing else in the project defines them."
        ),
    ] = False
    op: Annotated[
        OpSpec | None,
        dg.Resolver.default(description="Name, tags, pool and description of the ops."),
    ] = None
    translation: Annotated[
        TranslationFn[Mapping] | None,
        TranslationFnResolver[Mapping](lambda mapping: {"mapping": mapping, "data": mapping}),
    ] = None

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What listings of components show."""
        return dg.ComponentTypeSpec(
            tags=["reverse-etl"], produces=["asset", "asset_check", "schedule", "job", "sensor"]
        )

    @cached_property
    def sync_project(self) -> SyncProject:
        """The mappings, read from YAML once.

        Raises:
            ConfigError, UsageError: they cannot be used as they are.
        """
        return open_project(
            self.project,
            target=self.target,
            select=self.select,
            exclude=self.exclude,
            api_key=self.api_key,
        )

    @property
    def pool(self) -> str:
        """The pool that every sync to the target runs in."""
        given = self.op.pool if self.op else None
        return given or names.identifier("sequen", self.sync_project.target_name)

    def get_asset_spec(self, mapping: Mapping) -> dg.AssetSpec:
        """The asset of a mapping. To be overridden; column lineage is added to what it returns."""
        target = self.sync_project.target_name
        spec = asset_spec(mapping, prefix=self.name, target=target)
        return self.translation(spec, mapping) if self.translation else spec

    def get_check_specs(self, mapping: Mapping, key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
        """The checks of a mapping. To be overridden: leave some out, or make them blocking."""
        return check_specs(mapping, key, self.on_too_many_rejects, self.fresh_within_hours)

    def get_backfills(self, mapping: Mapping) -> Backfills:
        """How the events of a mapping are partitioned. To be overridden, where they differ."""
        return self.backfills

    def execute(
        self, context: dg.AssetExecutionContext, mapping: Mapping, config: SyncConfig
    ) -> Iterator[Yielded]:
        """Sync a mapping. To be overridden, around `yield from super().execute(...)`.

        Raises:
            Failure: trying again would not help; a guard that tripped is one, with its numbers.
            RetryRequested: the API is out, or another process syncs the mapping.
        """
        watcher = RunLog()

        def observe(run: RunReport) -> None:
            metadata = _metadata(run, mapping, watcher)
            context.log_event(dg.AssetObservation(context.asset_key, metadata=metadata))

        try:
            run = self.sync_project.sync(
                [mapping], config.options(), context.log, watcher=watcher, cancelled=observe
            )
        except ConnectorError as error:
            raise_for_error(error, retries=self.retries, attempt=context.retry_number)
        if run.of(mapping.name).status is Status.INCOMPLETE:
            observe(run)
        yield from self._judged(context, mapping, run, watcher)

    def _judged(
        self,
        context: dg.AssetExecutionContext,
        mapping: Mapping,
        run: RunReport,
        watcher: RunLog,
    ) -> Iterator[Yielded]:
        report, metadata = run.of(mapping.name), _metadata(run, mapping, watcher)
        if report.status is Status.DONE:
            spec = context.assets_def.get_asset_spec(context.asset_key)
            yield dg.MaterializeResult(
                asset_key=context.asset_key,
                metadata={
                    **metadata,
                    **self._coverage(context, mapping),
                    **table_metadata(spec, mapping, report.fields),
                    "dagster/row_count": row_count(report),
                },
            )
        if report.status in {Status.DONE, Status.INCOMPLETE}:
            specs = list(context.assets_def.check_specs)
            yield from evaluate(report, mapping, specs, on_too_many=self.on_too_many_rejects)
        # Besides the mapping there may be erasures by hand that waited for a sync.
        for entry in (report, *(each for each in run.mappings if each is not report)):
            raise_unless_done(
                entry, retries=self.retries, attempt=context.retry_number, metadata=metadata
            )
        if report.too_many_rejects and self.on_too_many_rejects == "fail":
            raise dg.Failure(
                f"{report.name}: {report.rejected:,} of {report.rows.source:,} rows are rejected, "
                f"more than {mapping.max_reject_percent:g} %",
                metadata,
                allow_retries=False,
            )

    def _coverage(self, context: dg.AssetExecutionContext, mapping: Mapping) -> dict[str, Any]:
        try:
            return latest_coverage(self.sync_project, mapping, self.coverage_every_hours)
        except ConnectorError as error:
            context.log.warning(f"the coverage is not known: {error}")
            return {}

    def on_failure(
        self, context: dg.RunFailureSensorContext, failures: Sequence[SyncFailure]
    ) -> None:
        """Called once for each failed run in which a sync failed, where a subclass overrides it."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Assets with their checks, schedules and jobs; a sensor where `on_failure` is given."""
        mappings = self.sync_project.mappings
        specs = {each.name: with_lineage(self.get_asset_spec(each), each) for each in mappings}
        keys = {name: spec.key for name, spec in specs.items()}
        assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
            self._asset(each, specs[each.name]) for each in mappings
        ]
        assets += [
            self._by_time(each, specs[each.name])
            for each in mappings
            if can_be_backfilled(each) and self.get_backfills(each).enabled
        ]
        if self.declare_tables:
            assets += table_specs(specs.values())
        schedules = [
            build_schedule(each, keys[each.name], prefix=self.name, rules=self.schedules)
            for each in mappings
        ]
        feeds = [
            build_erasure_sensor(
                self.sync_project,
                each,
                keys[each.name],
                prefix=self.name,
                rules=self.erasure_feeds,
            )
            for each in mappings
        ]
        overridden = type(self).on_failure is not SyncMappingsComponent.on_failure
        ops = {self._op_name(each): each.name for each in mappings}
        return dg.Definitions(
            assets=assets,
            asset_checks=self._checks(keys),
            schedules=[each for each in schedules if each is not None],
            jobs=self._jobs(keys) if self.jobs else [],
            sensors=[
                *(each for each in feeds if each is not None),
                *([build_failure_sensor(self.name, ops, self.on_failure)] if overridden else []),
            ],
        )

    def _jobs(self, keys: dict[str, dg.AssetKey]) -> list[dg.JobDefinition]:
        sync, retries = self.sync_project, self.retries
        backfill = build_backfill_job(
            sync,
            keys,
            self.get_backfills,
            prefix=self.name,
            pool=f"{self.pool}__backfill",
            retries=retries,
        )
        return [
            *build_jobs(sync, keys, prefix=self.name, pool=self.pool),
            build_erase_job(sync, prefix=self.name, pool=self.pool, retries=retries),
            *([backfill] if backfill is not None else []),
        ]

    def _checks(self, keys: dict[str, dg.AssetKey]) -> list[dg.AssetChecksDefinition]:
        """Those that are steps of their own."""
        found = (
            build(self.sync_project, each, keys[each.name], prefix=self.name)
            for each in self.sync_project.mappings
            for build in (build_coverage_check, build_erasure_check)
        )
        return [check for check in found if check is not None]

    def _op_name(self, mapping: Mapping) -> str:
        if self.op is None or self.op.name is None:
            return names.identifier(self.name, mapping.name)
        alone = len(self.sync_project.mappings) == 1
        return self.op.name if alone else names.identifier(self.op.name, mapping.name)

    def _asset(self, mapping: Mapping, spec: dg.AssetSpec) -> dg.AssetsDefinition:
        op = self.op or OpSpec()

        @dg.multi_asset(
            name=self._op_name(mapping),
            specs=[spec],
            check_specs=self.get_check_specs(mapping, spec.key),
            op_tags=op.tags,
            description=op.description,
            backfill_policy=op.backfill_policy,
            pool=self.pool,
        )
        def synced(context: dg.AssetExecutionContext, config: SyncConfig) -> Iterator[Yielded]:
            yield from self.execute(context, mapping, config)

        return synced

    def _by_time(self, mapping: Mapping, spec: dg.AssetSpec) -> dg.AssetsDefinition:
        op, backfills = self.op or OpSpec(), self.get_backfills(mapping)

        @dg.multi_asset(
            name=names.identifier(self._op_name(mapping), f"by_{backfills.by}"),
            specs=[backfill_spec(spec, mapping, backfills)],
            op_tags=op.tags,
            backfill_policy=dg.BackfillPolicy.single_run(),
            pool=f"{self.pool}__backfill",
        )
        def backfilled(
            context: dg.AssetExecutionContext, config: BackfillConfig
        ) -> Iterator[Yielded]:
            run_backfill(self.sync_project, context, mapping, backfills, config, self.retries)
            # Partitions are noted where they are done; to return would note them all once more.
            yield from ()

        return backfilled


def _metadata(run: RunReport, mapping: Mapping, watcher: RunLog) -> dict[str, Any]:
    return run_metadata(run.of(mapping.name), watcher.pace(mapping.name), run.warnings)
