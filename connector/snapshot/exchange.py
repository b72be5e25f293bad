"""What a backfill takes from the state of its mapping for one window, and what it brings back.

A backfill journals in a state file of its own, so that a sync of the mapping is never kept out. The
two meet for moments only: before a window, to learn what was sent and refused in it, and after it.
Times are in milliseconds, windows without their end.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.snapshot.store import StatePaths, Store

_SETTINGS = ("types", "fingerprint_engine")


def backfill_paths(main: StatePaths) -> StatePaths:
    """Where a backfill of a mapping keeps the window under way; gone once that is done."""
    return StatePaths(main.folder / "backfill", main.mapping)


def claim(mine: Store, window: str) -> None:
    """Make sure that a state is of this window: what another one left there is of no use."""
    if mine.meta("window") not in (None, window):
        for table in ("snapshot", "journal", "rejects"):
            mine.connection.execute(f"DELETE FROM state.{table}")  # noqa: S608 - ours
        mine.remember(**dict.fromkeys(_SETTINGS))
    mine.remember(window=window)


def overlaps(main: Store, end: int) -> bool:
    """Whether a sync knows, or will read, events from before `end`."""
    horizon = main.meta("horizon")
    return horizon is None or int(horizon) < end


def check_out(main: Store, mine: Store, start: int, end: int) -> None:
    """Take over which events of the window were acknowledged or refused, as far as it is known.

    What `mine` already knows stays as it is.
    """
    _adopt_settings(main, mine)
    fresh = not mine.fetch("SELECT 1 FROM state.rejects LIMIT 1")
    _copy(
        main,
        mine,
        "snapshot",
        (start, end),
        "WHERE NOT EXISTS (FROM state.snapshot AS s WHERE s.key = incoming.key)",
    )
    if fresh:
        _copy(main, mine, "rejects", (start, end))


def check_in(mine: Store, main: Store, start: int, end: int) -> None:
    """Bring back what became of the window: its rejects, and the events that a sync would meet."""
    _adopt_settings(mine, main)
    horizon = main.meta("horizon")
    known_from = start if horizon is None else max(start, int(horizon))
    main.connection.execute("BEGIN")
    main.connection.execute(
        "DELETE FROM state.rejects WHERE cursor >= ? AND cursor < ?", [start, end]
    )
    _copy(mine, main, "rejects", (start, end), replace=True)
    _copy(mine, main, "snapshot", (known_from, end), replace=True)
    main.connection.execute("COMMIT")


def catch_up(theirs: Store, main: Store) -> None:
    """Learn what a backfill under way, or one that died, has sent of what a sync would meet."""
    horizon = main.meta("horizon")
    known_from = -(2**63) if horizon is None else int(horizon)
    main.connection.execute("BEGIN")
    _copy(theirs, main, "snapshot", (known_from, 2**63 - 1), replace=True)
    main.connection.execute("COMMIT")


def _adopt_settings(giver: Store, taker: Store) -> None:
    missing = {name: giver.meta(name) for name in _SETTINGS if taker.meta(name) is None}
    if any(missing.values()):
        taker.remember(**missing)


def _copy(
    giver: Store,
    taker: Store,
    table: str,
    window: Sequence[int],
    condition: str = "",
    *,
    replace: bool = False,
) -> None:
    rows = giver.connection.sql(
        f"SELECT * FROM state.{table} WHERE cursor >= ? AND cursor < ?",  # noqa: S608 - ours
        params=list(window),
    )
    taker.connection.register("incoming", rows.to_arrow_table())
    try:
        if replace:
            taker.connection.execute(
                f"DELETE FROM state.{table} WHERE key IN (SELECT key FROM incoming)"  # noqa: S608 - ours
            )
        taker.connection.execute(
            f"INSERT INTO state.{table} BY NAME SELECT * FROM incoming {condition}"  # noqa: S608 - ours
        )
    finally:
        taker.connection.unregister("incoming")
