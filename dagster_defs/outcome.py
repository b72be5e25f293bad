"""What becomes of a Dagster run, given how its sync fared."""

import random
from dataclasses import dataclass
from typing import Any, NoReturn

import dagster as dg

from connector.errors import ConnectorError, StateError
from connector.mapping.mapping import Mapping
from connector.report import MappingReport, Status


@dataclass(frozen=True)
class Retries(dg.Resolvable):
    """How often a run that the API or a lease stopped is tried again, and after how long.

    The first wait is about `seconds`, each further one twice as long, an hour at most.
    """

    max_retries: int = 5
    seconds: float = 30.0

    def wait(self, attempt: int) -> float:
        """Seconds before the attempt after number `attempt` (from 0), with jitter."""
        longest: float = min(self.seconds * 2**attempt, 3600.0)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - keeps runs apart, guards nothing


def raise_unless_done(
    report: MappingReport,
    mapping: Mapping,
    *,
    retries: Retries,
    attempt: int,
    metadata: dict[str, Any],
) -> None:
    """Return after a sync that went through, rejects or not.

    Raises:
        RetryRequested: the API is out, or another process syncs the mapping.
        Failure: trying again would not help, or was tried often enough.
    """
    message = said(report, mapping)
    match report.status:
        case Status.DONE:
            return
        case Status.INCOMPLETE | Status.LOCKED:
            retry_or_fail(message, retries=retries, attempt=attempt, metadata=metadata)
        case Status.BLOCKED | Status.FAILED:
            raise dg.Failure(message, metadata, allow_retries=False)


def retry_or_fail(
    message: str, *, retries: Retries, attempt: int, metadata: dict[str, Any] | None = None
) -> NoReturn:
    """Ask for another attempt, or give up after the last.

    Raises:
        RetryRequested, Failure
    """
    if attempt < retries.max_retries:
        cause = dg.Failure(message, metadata)
        raise dg.RetryRequested(retries.max_retries, retries.wait(attempt)) from cause
    raise dg.Failure(message, metadata, allow_retries=False)


def raise_for_error(error: ConnectorError, *, retries: Retries, attempt: int) -> NoReturn:
    """A sync that could not even begin: a store that is away is waited for, the rest fails.

    Raises:
        RetryRequested, Failure
    """
    if isinstance(error, StateError):
        retry_or_fail(str(error), retries=retries, attempt=attempt)
    raise dg.Failure(str(error), allow_retries=False) from None


def said(report: MappingReport, mapping: Mapping) -> str:
    """Why a sync did not go through, without personal data."""
    if report.status is Status.BLOCKED:
        return _blocked(report, mapping)
    message = report.error or str(report.status)
    return f"{report.name}: {message}" + (f"; {report.hint}" if report.hint else "")


def _blocked(report: MappingReport, mapping: Mapping) -> str:
    """Why a guard stopped a mapping, without the keys that the connector's own message shows."""
    soft = report.changes["soft_delete"].planned
    hard = report.changes["hard_delete"].planned
    guards = mapping.deletes.guards
    limits = [
        f"max_delete_fraction {guards.max_delete_fraction:g}"
        if guards.max_delete_fraction is not None
        else "",
        f"max_deletes {guards.max_deletes:,}" if guards.max_deletes is not None else "",
        f"max_erasures {guards.max_erasures:,}" if guards.max_erasures is not None else "",
    ]
    return (
        f"a guard stopped {mapping.name!r}, nothing was sent: the source has "
        f"{report.rows.source:,} rows, and {soft + hard:,} deletes would follow ({soft:,} soft, "
        f"{hard:,} hard; guards: {', '.join(filter(None, limits)) or 'none'}, and a source that is "
        f"empty or lost half its rows). If that is right, materialize again with "
        f"`allow_deletes: {soft + hard}`"
    )
