"""What becomes of a Dagster run, given how its sync fared."""

import random
from dataclasses import dataclass
from typing import Any, NoReturn

import dagster as dg

from connector.errors import ConnectorError, SourceError, StateError
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
    *,
    retries: Retries,
    attempt: int,
    metadata: dict[str, Any],
) -> None:
    """Return after a sync that went through, rejects or not.

    Raises:
        RetryRequested: the API or the source is out, or another process syncs the mapping.
        Failure: trying again would not help, or was tried often enough.
    """
    message = said(report)
    match report.status:
        case Status.DONE:
            return
        case Status.INCOMPLETE | Status.LOCKED:
            retry_or_fail(message, retries=retries, attempt=attempt, metadata=metadata)
        case Status.FAILED if report.transient:
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
    if isinstance(error, StateError) or (isinstance(error, SourceError) and error.transient):
        retry_or_fail(str(error), retries=retries, attempt=attempt)
    raise dg.Failure(str(error), allow_retries=False) from None


def said(report: MappingReport) -> str:
    """Why a sync did not go through, without personal data.

    What the connector itself says of a guard names keys; the guard's numbers do not.
    """
    if report.guard is not None:
        guard = report.guard
        return (
            f"the guard {guard.name} stopped {report.name!r}, nothing was sent: {guard.numbers}. "
            f"If that is right, materialize again with `allow_deletes: {guard.deletes}`"
        )
    message = report.error or str(report.status)
    return f"{report.name}: {message}" + (f"; {report.hint}" if report.hint else "")
