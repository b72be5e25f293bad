"""Lines on their way between a warehouse and the state file.

What is borrowed stands in `state.borrowed` until it is returned: a process that is killed leaves it
there, and the next one returns it first.
"""

from __future__ import annotations

import hashlib
from contextlib import closing

import duckdb

from connector.engine.lines import Lines
from connector.snapshot.stage import Suppressions
from connector.snapshot.store import Store, statements

ROOM = "connector.engine"

_ROWS_PER_BATCH = 65_536
_PURGED = "lines_purged"


def check_in(lines: Lines, store: Store) -> None:
    """Put the lines that were borrowed back in their place, as they are now."""
    store.execute("borrowed", room=ROOM)
    if store.fetch("SELECT count(*) FROM state.borrowed")[0][0]:
        (query,) = statements("checked_in", ROOM)
        with closing(store.connection.cursor()) as ours, closing(store.connection.cursor()) as keys:
            lines.replace(
                ours.sql(query).to_arrow_reader(_ROWS_PER_BATCH),
                keys.sql("SELECT key FROM state.borrowed").to_arrow_reader(_ROWS_PER_BATCH),
            )
    let_go(store)


def let_go(store: Store) -> None:
    """Forget what is here: the warehouse has it."""
    store.execute("returned", room=ROOM)


def move_there(lines: Lines, store: Store, suppressions: Suppressions, *, events: bool) -> None:
    """Put the snapshot of the state file in the place of all lines."""
    (query,) = statements("moved", ROOM)
    parameters = {
        "inner": suppressions.inner,
        "outer": suppressions.outer,
        "events": events,
        "made_by": store.meta("fingerprint_engine") or duckdb.__version__,
    }
    with closing(store.connection.cursor()) as cursor:
        lines.replace(cursor.sql(query, params=parameters).to_arrow_reader(_ROWS_PER_BATCH))


def bring_home(lines: Lines, store: Store) -> None:
    """Lay every line that the API knows into the snapshot of the state file."""
    check_in(lines, store)
    with lines.known() as reader:
        store.connection.register("incoming", reader)
        store.connection.execute("CREATE OR REPLACE TABLE pulled AS FROM incoming")
        store.connection.unregister("incoming")
    lay(store)


def lay(store: Store) -> None:
    """Lay the lines that were pulled into the snapshot, with whichever DuckDB made them."""
    store.execute("lay", room=ROOM)
    # One that is not ours: then every fingerprint is looked at again.
    [(made_by,)] = store.fetch(
        "SELECT any_value(made_by ORDER BY made_by <> ? DESC) FROM pulled WHERE known",
        [duckdb.__version__],
    )
    store.remember(fingerprint_engine=made_by or duckdb.__version__)


def forget(lines: Lines, store: Store, suppressions: Suppressions) -> None:
    """Drop whoever was erased since the last time from the lines in a warehouse."""
    mark = hashlib.sha256("".join(sorted(suppressions.confirmed)).encode()).hexdigest()
    if store.meta(_PURGED) == mark:
        return
    if suppressions.confirmed:
        check_in(lines, store)
        lines.forget(int(uid_hash[:15], 16) for uid_hash in suppressions.confirmed)
    store.remember(**{_PURGED: mark})
