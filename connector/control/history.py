"""What became of earlier runs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, func, select

from connector.control.store import ControlStore
from connector.control.tables import runs


def ended_runs(store: ControlStore) -> dict[str, dict[str, Any]]:
    """The latest run of each mapping that came to its end, however it ended; by its name."""
    latest = (
        select(func.max(runs.c.id))
        .where(runs.c.target == store.target, runs.c.finished_at.is_not(None))
        .group_by(runs.c.mapping)
    )
    with store.begin() as connection:
        rows = connection.execute(select(runs).where(runs.c.id.in_(latest)))
        return {row.mapping: dict(row._mapping) for row in rows}


def runs_of(store: ControlStore, run_id: str) -> list[dict[str, Any]]:
    """The mappings of one run that came to their end, in the order in which they began."""
    mine = and_(runs.c.target == store.target, runs.c.run_id == run_id)
    wanted = select(runs).where(mine, runs.c.finished_at.is_not(None)).order_by(runs.c.id)
    with store.begin() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]


def earlier_runs(
    store: ControlStore, mapping: str, command: str, number: int, most: int
) -> list[dict[str, Any]]:
    """Runs of a mapping before run `number` that came to their end, the latest first."""
    mine = and_(
        runs.c.target == store.target,
        runs.c.mapping == mapping,
        runs.c.command == command,
        runs.c.id < number,
        runs.c.finished_at.is_not(None),
    )
    wanted = select(runs).where(mine).order_by(runs.c.id.desc()).limit(most)
    with store.begin() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]
