"""What became of earlier runs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

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
