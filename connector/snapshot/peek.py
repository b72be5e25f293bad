"""A look at changes before they are sent: which rows, and which of their fields."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connector.snapshot.stage import Stage


@dataclass(frozen=True, slots=True)
class Peek:
    """One change. `fields` are those that differ, as far as the snapshot can tell.

    `before` is what was acknowledged, where payloads are kept; `after` what would be sent.
    """

    key: str
    decision: str
    reason: str
    fields: tuple[str, ...]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def changed_fields(
    stage: Stage, payloads: str, parameters: dict[str, Any], names: Sequence[str]
) -> dict[str, int]:
    """In how many changed users each field differs, most first. `payloads` are their payloads."""
    rows = stage.store.fetch(
        f"""
        WITH pairs AS (
          SELECT s.digests AS before, p.digests AS after
          FROM decisions AS d
          JOIN state.snapshot AS s ON s.key = d.key
          JOIN ({payloads}) AS p ON p.row = d.row
          WHERE d.reason = 'changed' AND s.digests[1] = p.digests[1]
        )
        SELECT position, count(*)
        FROM (
          SELECT unnest(range(2, len(after) + 1)) AS position, before, after FROM pairs
        )
        WHERE before[position] <> after[position]
        GROUP BY position
        ORDER BY count(*) DESC, position
        """,
        parameters or None,
    )
    return {names[position - 2]: count for position, count in rows}


def peek(
    stage: Stage,
    payloads: str,
    parameters: dict[str, Any],
    names: Sequence[str],
    *,
    decision: str,
    limit: int,
) -> list[Peek]:
    """A few changes with one decision, in the order of their keys.

    `payloads` are those of the rows of a table `few`.
    """
    rows = stage.store.fetch(
        f"""
        WITH few AS (
          SELECT * FROM decisions WHERE decision = $peeked ORDER BY key LIMIT {limit:d}
        )
        SELECT f.key, f.reason, s.digests, p.digests, s.payload, p.payload
        FROM few AS f
        LEFT JOIN state.snapshot AS s ON s.key = f.key
        LEFT JOIN ({payloads}) AS p ON p.row = f.row
        ORDER BY f.key
        """,
        {**parameters, "peeked": decision},
    )
    return [
        Peek(
            key=key,
            decision=decision,
            reason=reason,
            fields=_differing(before, after, names),
            before=json.loads(kept) if kept else None,
            after=json.loads(payload) if payload and decision != "hard_delete" else None,
        )
        for key, reason, before, after, kept, payload in rows
    ]


def _differing(
    before: Sequence[int] | None, after: Sequence[int] | None, names: Sequence[str]
) -> tuple[str, ...]:
    if not before or not after or before[0] != after[0]:
        return ()
    pairs = zip(names, before[1:], after[1:], strict=True)
    return tuple(name for name, old, new in pairs if old != new)


def payload_bytes(stage: Stage, payloads: str, parameters: dict[str, Any]) -> float:
    """The average size of a payload over a sample of what would be sent; 0 when nothing would."""
    rows = stage.store.fetch(
        f"SELECT avg(strlen(payload)) FROM (SELECT payload FROM ({payloads}) LIMIT 1000)",
        parameters or None,
    )
    return float(rows[0][0] or 0)
