"""Rejected rows: a look at them, and asking for another attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.snapshot.store import Store


def sample_rejects(store: Store, limit: int) -> list[tuple[str | None, str, str | None, str]]:
    """A few rejects: key, code, field, message; those of the API first."""
    return store.fetch(
        "SELECT key, code, nullif(field, ''), message FROM state.rejects "
        "ORDER BY origin, code, key LIMIT ?",
        [limit],
    )


def list_rejects(
    store: Store, *, code: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """Rejects with everything known of them, the latest first."""
    names = (
        "key", "origin", "code", "field", "message", "status", "row_count", "attempts",
        "first_seen", "last_seen", "retry",
    )  # fmt: skip
    rows = store.fetch(
        f"SELECT {', '.join(names)} FROM state.rejects WHERE code = coalesce($code, code) "  # noqa: S608 - the names above
        "ORDER BY last_seen DESC, code, key LIMIT coalesce($limit, 9223372036854775807)",
        {"code": code, "limit": limit},
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def count_rejects(store: Store) -> list[tuple[str, str | None, int]]:
    """How many rows were rejected, by code and field, most first."""
    return store.fetch(
        "SELECT code, nullif(field, ''), sum(row_count)::BIGINT FROM state.rejects "
        "GROUP BY ALL ORDER BY 3 DESC, 1, 2"
    )


def ask_again(store: Store, codes: Sequence[str] = ()) -> int:
    """Have the next sync try rows that the API refused; returns how many."""
    rows = store.fetch(
        "UPDATE state.rejects SET retry = true "
        "WHERE origin = 'api' AND (len($codes) = 0 OR list_contains($codes, code)) RETURNING 1",
        {"codes": list(codes)},
    )
    return len(rows)
