"""What sets syncs off, and what is told when one fails: schedules and a failure sensor."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from connector.mapping import mapping as plain
from dagster_defs import names


@dataclass(frozen=True)
class Schedules(dg.Resolvable):
    """What becomes of `schedule:` in a mapping."""

    enabled: bool = True
    running: bool = False
    """Whether schedules run as soon as they are deployed, or wait to be switched on."""
    timezone: str = "UTC"


def build_schedule(
    mapping: plain.Mapping, key: dg.AssetKey, *, prefix: str, rules: Schedules
) -> dg.ScheduleDefinition | None:
    """The schedule of a mapping that has one."""
    if mapping.schedule is None or not rules.enabled:
        return None
    status = dg.DefaultScheduleStatus
    return dg.ScheduleDefinition(
        name=names.identifier(prefix, mapping.name, "schedule"),
        cron_schedule=mapping.schedule,
        target=dg.AssetSelection.assets(key),
        execution_timezone=rules.timezone,
        default_status=status.RUNNING if rules.running else status.STOPPED,
        description=f"Syncs {mapping.name!r}, as its mapping says.",
    )


@dataclass(frozen=True)
class SyncFailure:
    """A sync that failed, in a run that is over. `error` is one line without personal data."""

    mapping: str
    run_id: str
    error: str


def build_failure_sensor(
    prefix: str,
    mapping_of_op: Mapping[str, str],
    notify: Callable[[dg.RunFailureSensorContext, Sequence[SyncFailure]], None],
) -> dg.SensorDefinition:
    """A sensor that calls `notify` for each failed run in which a sync failed."""

    @dg.run_failure_sensor(
        name=f"{prefix}_failures",
        description="Tells about syncs that failed.",
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor(context: dg.RunFailureSensorContext) -> None:
        failures = [
            SyncFailure(mapping, context.dagster_run.run_id, _error(event))
            for event in context.get_step_failure_events()
            if (mapping := mapping_of_op.get(event.step_key or ""))
        ]
        if failures:
            notify(context, failures)

    return sensor


def _error(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    return data.error.message.strip() if data.error else "failed"
