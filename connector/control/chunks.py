"""Which windows of which mapping were backfilled: what a killed backfill goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, insert, select

from connector.control.engine import clock
from connector.control.store import ControlStore
from connector.control.tables import chunks


@dataclass(frozen=True, slots=True)
class Chunk:
    """A window [start, end) whose rows were all acknowledged, rejected or left out.

    Times are naive UTC. `rows` is what the source held, `known` what had been sent before.
    """

    start: datetime
    end: datetime
    rows: int
    acknowledged: int
    rejected: int
    known: int
    run_id: str
    done_at: datetime


_COLUMNS = (
    chunks.c.window_start,
    chunks.c.window_end,
    chunks.c.rows,
    chunks.c.acknowledged,
    chunks.c.rejected,
    chunks.c.known,
    chunks.c.run_id,
    chunks.c.done_at,
)
"""In the order of `Chunk`."""


def completed(
    store: ControlStore, mapping: str, version: str, *, since: datetime | None = None
) -> list[Chunk]:
    """The windows of one version of a mapping that are done, in order; `since` leaves out those
    that were done before."""
    wanted = _of(store, mapping, version)
    if since is not None:
        wanted = and_(wanted, chunks.c.done_at >= since)
    ordered = select(*_COLUMNS).where(wanted).order_by(chunks.c.window_start, chunks.c.window_end)
    with store.begin() as connection:
        return [Chunk(*row) for row in connection.execute(ordered)]


def record(
    store: ControlStore,
    mapping: str,
    version: str,
    *,
    start: datetime,
    end: datetime,
    rows: int,
    acknowledged: int,
    rejected: int,
    known: int,
    run_id: str,
) -> None:
    """Note that a window is done; a second time replaces the first."""
    key = {"window_start": start, "window_end": end}
    values = {"rows": rows, "acknowledged": acknowledged, "rejected": rejected, "known": known}
    same = [chunks.c[name] == value for name, value in key.items()]
    with store.begin() as connection:
        connection.execute(delete(chunks).where(_of(store, mapping, version), *same))
        connection.execute(
            insert(chunks).values(
                target=store.target,
                mapping=mapping,
                version=version,
                run_id=run_id,
                done_at=clock(connection),
                **key,
                **values,
            )
        )


def _of(store: ControlStore, mapping: str, version: str) -> ColumnElement[bool]:
    return and_(
        chunks.c.target == store.target, chunks.c.mapping == mapping, chunks.c.version == version
    )
