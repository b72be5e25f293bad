"""What a sync would do, down to the fields, before anything is sent."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.control.store import ControlStore
from connector.destination.target import Target
from connector.errors import ConnectorError
from connector.follow import erasing, standing
from connector.mapping.mapping import Mapping
from connector.mapping.private import KEYS, hidden_fields, personal
from connector.planfile import plan_file, write_plan
from connector.prepare import Bound, Compared, bind, looking
from connector.project import Project
from connector.report import (
    MAX_SAMPLES,
    ChangeSample,
    Forecast,
    MappingReport,
    RejectSample,
    RunReport,
)
from connector.run import DEFAULTS, SyncOptions, fail
from connector.shards import check_shards
from connector.snapshot import peek
from connector.snapshot.ground import Ground
from connector.snapshot.stage import SENT
from connector.snapshot.store import StatePaths, open_store
from connector.sync import count, guard, synced

SAMPLES = 5
"""How many changes of each operation a plan shows."""

MASK = "***"
"""What a plan shows of personal data."""


def plan(
    project: Project,
    mappings: Sequence[Mapping],
    *,
    target: Target,
    options: SyncOptions = DEFAULTS,
    to_file: Path | None = None,
) -> RunReport:
    """Read, compare, and say what a sync would send; neither the target nor the state changes.

    With `to_file` the plan is written as well, for `sync` to follow, unless something is wrong
    with one of its mappings.

    Raises:
        UsageError: nothing to sync is selected.
        StateError: the control store cannot be used.
        ConnectorError: the file cannot be written.
    """
    control = ControlStore(project.state_path / target.name, target.name, project.control_url)
    report = RunReport("plan", secrets.token_hex(8), target.name)
    planning = _Planning(project, target, control, options, {} if to_file else None)
    try:
        report.mappings = [_plan_one(planning, mapping) for mapping in synced(mappings)]
        if to_file is not None and planning.grounds is not None and not report.exit_code:
            plan = plan_file(report, target, options, planning.grounds)
            write_plan(to_file, plan.sealed(control.hasher()))
            report.plan_file = str(to_file)
    finally:
        control.close()
    return report


@dataclass(frozen=True, slots=True)
class _Planning:
    """What the mappings of one plan share; `grounds` are what it stands on, where that is asked
    for, and `erased` whom the mappings so far would erase."""

    project: Project
    target: Target
    control: ControlStore
    options: SyncOptions
    grounds: dict[str, Ground] | None
    erased: list[str] = field(default_factory=list)


def _plan_one(planning: _Planning, mapping: Mapping) -> MappingReport:
    report = MappingReport(mapping.name, str(mapping.kind))
    began = time.monotonic()
    project, control, options = planning.project, planning.control, planning.options
    paths = StatePaths(project.state_path / planning.target.name, mapping.name)
    try:
        check_shards(control, paths.folder, mapping)
        with (
            bind(project, mapping) as bound,
            open_store(paths, keep=False, origin=bound.origin_file) as store,
            looking(
                project,
                bound,
                store,
                control,
                refresh=options.full_refresh,
                erased=planning.erased,
            ) as compared,
        ):
            count(report, compared)
            _look(report, bound, compared, planning.target)
            guard(mapping, compared, options)
            if planning.grounds is not None:
                ground = standing(bound, compared, control, planning.erased)
                planning.grounds[mapping.name] = ground
            planning.erased.extend(erasing(compared, control))
    except ConnectorError as error:
        fail(report, error)
    report.seconds = time.monotonic() - began
    return report


def _look(report: MappingReport, bound: Bound, compared: Compared, target: Target) -> None:
    stage, chain = compared.stage, compared.chain
    violations = [(v.code, v.field, v.message) for v in chain.violations]
    report.rejects = [RejectSample(*row) for row in stage.sample_rejected(violations, MAX_SAMPLES)]
    few = chain.payloads("rowid IN (SELECT row FROM few)")
    hidden = hidden_fields(chain)
    for decision in SENT:
        if not report.changes[decision].planned:
            continue
        report.samples += [
            ChangeSample(
                item.key,
                item.decision,
                item.reason,
                item.fields,
                _masked(item.before, hidden),
                _masked(item.after, hidden),
            )
            for item in peek.peek(
                stage, few, compared.parameters, chain.digested, decision=decision, limit=SAMPLES
            )
        ]
    if compared.decided.count("upsert", "changed"):
        changed = compared.payloads("reason = 'changed'")
        report.changed_fields = peek.changed_fields(
            stage, changed, compared.parameters, chain.digested
        )
    report.forecast = forecast(report, compared, target)


def _masked(row: dict[str, Any] | None, hidden: Collection[str]) -> dict[str, Any] | None:
    """A row without the values that say who somebody is, or where to find them. Who it is of, its
    key tells."""
    if row is None:
        return None
    return {
        name: MASK
        if value is not None and name not in KEYS and (name in hidden or personal(name))
        else value
        for name, value in row.items()
    }


def forecast(report: MappingReport, compared: Compared, target: Target) -> Forecast:
    """Requests that the changes of a mapping take, and how long at the quota."""
    events = report.changes["event"].planned
    requests = report.planned - events
    if events:
        size = peek.payload_bytes(
            compared.stage, compared.payloads("decision = 'event'"), compared.parameters
        )
        requests += max(
            math.ceil(events / target.events_per_request),
            math.ceil(events * (size + 1) / target.bytes_per_request),
        )
    limit = target.rate_limit
    return Forecast(requests, requests / limit.requests_per_second if limit else None)
