"""Guards: what a sync may not do without being told to, checked before the first byte is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.errors import GuardTripped
from connector.shard import selection
from connector.snapshot.stage import Decided

FROM_ROWS = 10
"""Fractions of fewer rows than this say nothing."""

HALF = 0.5
"""A source that lost more of its rows than this since the last sync is looked at first."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be deleted without being asked; None is no limit. `allowed` is what was asked."""

    max_delete_fraction: float | None
    max_deletes: int | None
    max_erasures: int | None
    allowed: int | None = None


@dataclass(frozen=True, slots=True)
class Tripped:
    """A guard that stops a mapping: its name, what it saw, and the deletes it saw."""

    guard: str
    message: str
    deletes: int


def check(
    name: str,
    decided: Decided,
    limits: Limits,
    *,
    complete: bool,
    rows_before: int | None,
    sample: Sequence[str] = (),
) -> None:
    """Stop a mapping that would delete more than its guards allow.

    Raises:
        GuardTripped: with the numbers, sample keys and the flag that lets it through.
    """
    tripped = find(decided, limits, complete=complete, rows_before=rows_before)
    if tripped is None:
        return
    keys = f" ({', '.join(sample)}{', …' if tripped.deletes > len(sample) else ''})"
    raise GuardTripped(
        f"mapping {name!r}: {tripped.message}{keys if sample and tripped.deletes else ''}; "
        "nothing was sent",
        hint=f"if that is right: `connector sync {selection(name)} "
        f"--allow-deletes {tripped.deletes}`",
        guard=tripped.guard,
        numbers=tripped.message,
        deletes=tripped.deletes,
    )


def find(
    decided: Decided, limits: Limits, *, complete: bool, rows_before: int | None
) -> Tripped | None:
    """The first guard that trips, or None."""
    erasures = decided.count("hard_delete")
    # A row that is flagged the first time it is seen takes nothing away from the far side.
    deletes = erasures + decided.deletes_of_known
    if limits.allowed is not None and deletes <= limits.allowed:
        return None
    if complete:
        tripped = _source_shrank(decided, rows_before, deletes)
        if tripped is not None:
            return tripped
    fraction = limits.max_delete_fraction
    # Nor does the erasure of somebody who was never sent.
    taken = decided.deletes_of_known + decided.erasures_of_known
    if fraction is not None and decided.known >= FROM_ROWS and taken > fraction * decided.known:
        share = taken / decided.known
        return Tripped(
            "max_delete_fraction",
            f"{taken:,} of {decided.known:,} synced rows ({share:.1%}) would be deleted, "
            f"more than max_delete_fraction {fraction:.1%}",
            deletes,
        )
    if limits.max_deletes is not None and deletes > limits.max_deletes:
        message = f"{deletes:,} deletes, more than max_deletes {limits.max_deletes:,}"
        return Tripped("max_deletes", message, deletes)
    if limits.max_erasures is not None and erasures > limits.max_erasures:
        message = f"{erasures:,} hard deletes, more than max_erasures {limits.max_erasures:,}"
        return Tripped("max_erasures", message, deletes)
    return None


def _source_shrank(decided: Decided, rows_before: int | None, deletes: int) -> Tripped | None:
    if decided.source == 0 and decided.known:
        return Tripped(
            "empty_source",
            f"the source is empty and {decided.known:,} of its rows were synced before",
            deletes,
        )
    if rows_before and rows_before >= FROM_ROWS and decided.source < HALF * rows_before:
        return Tripped(
            "shrunken_source",
            f"the source has {decided.source:,} rows, less than half of the {rows_before:,} "
            "of the last sync",
            deletes,
        )
    return None
