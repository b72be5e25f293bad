"""Purge: after an erasure nothing in the state folder speaks of the user any more.

DuckDB keeps deleted values in its file until the space is used again, whatever is done to the
table; a copy into a fresh file that replaces the old one is clean.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import duckdb

from connector.snapshot.stage import Suppressions, list_suppressions
from connector.snapshot.store import StatePaths, Store, state_errors
from connector.sql import literal


def forget_erased(store: Store, suppressions: Suppressions, *, events: bool | None) -> bool:
    """Drop whoever was erased since the last time; true while the file is due to be rewritten.

    `events` says of which kind the rows are; None, where nobody knows any more, is both.
    It is due even where no row had to be dropped: older rows of the user may have been.
    """
    mark = hashlib.sha256("".join(sorted(suppressions.confirmed)).encode()).hexdigest()
    if store.meta("purged") != mark:
        if suppressions.confirmed:
            list_suppressions(store, suppressions)
            store.remember(rewrite="due")
            key: dict[str, Any] = {"inner": suppressions.inner, "outer": suppressions.outer}
            for kind in (False, True) if events is None else (events,):
                store.execute("forget", events=kind, **key)
        store.remember(purged=mark)
    return store.meta("rewrite") is not None


def rewrite(paths: StatePaths) -> None:
    """Copy a closed state file into a fresh one and put that in its place.

    Atomic: a crash leaves the old file or the new one. Folding in the write-ahead log first makes
    sure that no value survives beside the file.

    Raises:
        StateError: the disk is full, or the file damaged; the next sync tries again.
    """
    fresh = paths.file.with_suffix(".fresh")
    for leftover in (fresh, Path(f"{fresh}.wal")):
        leftover.unlink(missing_ok=True)
    with state_errors(paths), duckdb.connect() as connection:
        connection.execute(f"ATTACH {literal(str(paths.file))} AS state")
        connection.execute("CHECKPOINT state")
        connection.execute(f"ATTACH {literal(str(fresh))} AS fresh")
        connection.execute("COPY FROM DATABASE state TO fresh")
        connection.execute("DELETE FROM fresh.meta WHERE name = 'rewrite'")
        connection.execute("DETACH fresh")
        connection.execute("DETACH state")
    fresh.chmod(0o600)
    fresh.replace(paths.file)
    Path(f"{paths.file}.wal").unlink(missing_ok=True)
