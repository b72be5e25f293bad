"""Into how many shards each mapping is cut: the same for all who share the store."""

from __future__ import annotations

from sqlalchemy import and_, select, update

from connector.control.engine import insert_missing
from connector.control.store import ControlStore
from connector.control.tables import layouts


def shards(store: ControlStore, mapping: str) -> int | None:
    """How many shards a mapping has, 1 where it is whole; None where nobody decided yet."""
    mine = and_(layouts.c.target == store.target, layouts.c.mapping == mapping)
    with store.begin() as connection:
        return connection.scalar(select(layouts.c.shards).where(mine))


def settle(store: ControlStore, mapping: str, wanted: int) -> int:
    """Decide how many shards a mapping has; returns what was decided, by whoever came first."""
    row = {"target": store.target, "mapping": mapping, "shards": wanted}
    mine = and_(layouts.c.target == store.target, layouts.c.mapping == mapping)
    with store.begin() as connection:
        insert_missing(connection, layouts, [row])
        return connection.scalar(select(layouts.c.shards).where(mine)) or wanted


def change(store: ControlStore, mapping: str, wanted: int) -> None:
    """Decide anew."""
    settle(store, mapping, wanted)
    mine = and_(layouts.c.target == store.target, layouts.c.mapping == mapping)
    with store.begin() as connection:
        connection.execute(update(layouts).where(mine).values(shards=wanted))
