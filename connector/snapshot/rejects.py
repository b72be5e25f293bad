"""Rejected rows: a look at them, and asking for another attempt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

from connector.errors import Locked, StateError, first_line
from connector.snapshot.store import ANEW, FORMAT, StatePaths, Store
from connector.sql import literal

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@contextmanager
def open_rejects(paths: StatePaths) -> Iterator[Store | None]:
    """Open the state of a mapping to look at its rejects; None when there is none yet.

    Nothing is written, nor is any folder made.

    Raises:
        Locked: a sync has it open.
        StateError: it cannot be read, or is of a newer format.
    """
    if not paths.file.exists():
        yield None
        return
    with duckdb.connect() as connection:
        try:
            connection.execute(f"ATTACH {literal(str(paths.file))} AS state (READ_ONLY)")
        except duckdb.Error as error:
            if "lock" in str(error):
                raise Locked(
                    f"{paths.mapping!r} is being synced by another process",
                    hint="wait for it to end; `connector status` shows it",
                ) from error
            reason = first_line(error)
            raise StateError(
                f"the state file {paths.file} cannot be opened: {reason}", hint=ANEW
            ) from error
        store = Store(paths, connection)
        if int(store.meta("format") or 0) > FORMAT:
            raise StateError(
                f"the state file {paths.file} is of a newer format than this version knows",
                hint="use the newer connector that wrote it",
            )
        yield store


def sample_rejects(store: Store, limit: int) -> list[tuple[str | None, str, str | None, str]]:
    """A few rejects: key, code, field, message; those of the API first."""
    rows = store.fetch(
        "SELECT key, code, nullif(field, ''), message FROM state.rejects "
        "ORDER BY origin, code, key LIMIT ?",
        [limit],
    )
    return [(shown(key), code, field, message) for key, code, field, message in rows]


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
    return [dict(zip(names, (shown(row[0]), *row[1:]), strict=True)) for row in rows]


def shown(key: str | None) -> str | None:
    """A key as it is shown: control characters, which may be what is wrong with it, as `\\n`."""
    if key is None:
        return None
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), key)


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
