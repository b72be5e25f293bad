"""Erasures: a sensor on the feeds, a job by hand, and a check of the deadlines.

Dagster's database is out of reach of erasures: no uid goes into a cursor, a config or an event.
"""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from connector.control.erasures import MODELS_WITHIN, PROFILE_WITHIN, Erasure
from connector.erasure import check_uids
from connector.errors import ConnectorError, UsageError
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from dagster_defs import names
from dagster_defs.outcome import Retries, raise_for_error, raise_unless_done
from dagster_defs.project import ErasureCount, SyncProject

CHECK = "erasures_in_time"

ASK_AGAIN = 900.0
"""Seconds until the same erasures are asked for again: the run before failed, or waits."""


@dataclass(frozen=True)
class ErasureFeeds(dg.Resolvable):
    """How the feeds of `deletes: {erasures: …}` are watched."""

    enabled: bool = True
    running: bool = False
    """Whether the sensors run as soon as they are deployed, or wait to be switched on."""
    seconds: int = 60
    """Between two looks at a feed."""


class EraseConfig(dg.Config):
    """Whom to delete for good: run config is kept, so it says where the uids are, not which."""

    file: str | None = Field(
        default=None, description="A file that the run can read, one uid a line, UTF-8."
    )
    variable: str | None = Field(
        default=None, description="An environment variable of the run, one uid a line."
    )


def build_erasure_sensor(
    sync: SyncProject, mapping: Mapping, key: dg.AssetKey, *, prefix: str, rules: ErasureFeeds
) -> dg.SensorDefinition | None:
    """A sensor that syncs a users mapping when its feed lists somebody who is not erased yet."""
    if mapping.deletes.erasures is None or not rules.enabled:
        return None
    status = dg.DefaultSensorStatus

    @dg.sensor(
        name=names.identifier(prefix, mapping.name, "erasures"),
        target=dg.AssetSelection.assets(key),
        minimum_interval_seconds=rules.seconds,
        default_status=status.RUNNING if rules.running else status.STOPPED,
        description=f"Syncs {mapping.name!r} when its erasure feed lists somebody new.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        waiting = sync.waiting_for_erasure(mapping)
        asked = Asked.read(context.cursor)
        if not waiting:
            return dg.SensorResult(skip_reason="nobody waits to be erased", cursor=Asked().text)
        now = Asked(_digest(waiting), time.time())
        if now.digest == asked.digest and now.at < asked.at + ASK_AGAIN:
            said = f"{len(waiting):,} wait, and a sync was asked for"
            return dg.SensorResult(skip_reason=said, cursor=asked.text)
        request = dg.RunRequest(tags={f"{prefix}/erasures": str(len(waiting))})
        return dg.SensorResult(run_requests=[request], cursor=now.text)

    return sensor


@dataclass(frozen=True)
class Asked:
    """The cursor of a sensor: a digest of those it asked a sync for, and when (Unix time)."""

    digest: str = ""
    at: float = 0.0

    @property
    def text(self) -> str:
        """As the sensor keeps it."""
        return json.dumps([self.digest, self.at])

    @classmethod
    def read(cls, text: str | None) -> "Asked":
        """The cursor that was kept."""
        return cls(*json.loads(text)) if text else cls()


def _digest(hashes: list[str]) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def build_erase_job(
    sync: SyncProject, *, prefix: str, pool: str, retries: Retries
) -> dg.JobDefinition:
    """The job that deletes users by hand."""

    @dg.op(name=f"{prefix}_erase_op", pool=pool)
    def erase_op(context: dg.OpExecutionContext, config: EraseConfig) -> None:
        try:
            count = sync.erase(read_uids(config), context.log)
        except ConnectorError as error:
            raise_for_error(error, retries=retries, attempt=context.retry_number)
        metadata = _metadata(count)
        context.add_output_metadata(metadata)
        raise_unless_done(
            count.report, retries=retries, attempt=context.retry_number, metadata=metadata
        )

    @dg.job(name=f"{prefix}_erase", description="Delete users for good, and keep them deleted.")
    def job() -> None:
        erase_op()

    return job


def read_uids(config: EraseConfig) -> list[str]:
    """The uids that a config points at.

    Raises:
        UsageError: there are none, or one addresses nobody; it is not said which.
    """
    if (config.file is None) == (config.variable is None):
        raise UsageError("give either `file` or `variable`: where the uids are")
    if config.file is not None:
        try:
            text = Path(config.file).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the file of uids cannot be read: {type(error).__name__}") from None
    else:
        text = os.environ.get(config.variable or "", "")
    uids = [line for line in text.splitlines() if line]
    try:
        check_uids(uids)
    except UsageError:
        what = "one of the uids addresses no user" if uids else "no uid was given"
        raise UsageError(what, hint="one uid a line, UTF-8") from None
    return uids


def _metadata(count: ErasureCount) -> dict[str, Any]:
    operation = count.report.changes["hard_delete"]
    metadata: dict[str, Any] = {
        "erased": operation.acknowledged,
        "unknown_to_the_target": count.unknown,
        "pending": operation.pending,
        "refused": operation.rejected,
    }
    if count.profiles_gone_by and count.models_forget_by:
        metadata["profiles_gone_by"] = _timestamp(count.profiles_gone_by)
        metadata["models_forget_by"] = _timestamp(count.models_forget_by)
    return metadata


def _timestamp(moment: datetime) -> dg.TimestampMetadataValue:
    return dg.MetadataValue.timestamp(moment.replace(tzinfo=UTC))


def build_erasure_check(
    sync: SyncProject, mapping: Mapping, key: dg.AssetKey, *, prefix: str
) -> dg.AssetChecksDefinition | None:
    """A check of its own step, so that it can be run when no sync gets through."""
    if mapping.kind is not Kind.USERS:
        return None
    spec = dg.AssetCheckSpec(
        CHECK,
        asset=key,
        description="No erasure waits for more than 24 hours; after seven days it is an error.",
    )

    @dg.multi_asset_check(name=names.identifier(prefix, mapping.name, CHECK), specs=[spec])
    def check() -> dg.AssetCheckResult:
        try:
            lines = sync.erasures()
        except ConnectorError as error:
            raise dg.Failure(str(error), allow_retries=False) from None
        mine = [line for line in lines if line.mapping in {mapping.name, None}]
        return judge(mine, key, datetime.now(UTC).replace(tzinfo=None))

    return check


def judge(lines: list[Erasure], key: dg.AssetKey, now: datetime) -> dg.AssetCheckResult:
    """Whether those who wait, of the lines of a ledger, have not waited for too long."""
    waiting = [line.requested_at for line in lines if line.state in {"requested", "sent"}]
    oldest = now - min(waiting, default=now)
    under_way = [
        line for line in lines if line.confirmed_at and line.confirmed_at > now - PROFILE_WITHIN
    ]
    late = sum(now - each > PROFILE_WITHIN for each in waiting)
    severity = dg.AssetCheckSeverity
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=CHECK,
        passed=not late,
        severity=severity.ERROR if oldest > MODELS_WITHIN else severity.WARN,
        description=f"{len(waiting):,} wait, {late:,} of them for more than 24 hours",
        metadata={
            "waiting": len(waiting),
            "late": late,
            "oldest_hours": round(oldest / timedelta(hours=1), 2),
            "confirmed": sum(line.state == "confirmed" for line in lines),
            "confirmed_in_the_last_day": len(under_way),
        },
    )
