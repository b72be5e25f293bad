"""Earlier coverage reports: how full things were, never what they held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import JSON, BigInteger, Column, DateTime, Integer, String, Table, insert, select

from connector.control.store import ControlStore
from connector.control.tables import metadata

KEPT = 60
"""How many earlier reports of a mapping are looked at."""

reports = Table(
    "connector_coverage",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("target", String(200), nullable=False),
    Column("mapping", String(200), nullable=False, index=True),
    Column("reported_at", DateTime, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("reached", String(20), nullable=False),
    Column("scores", JSON, nullable=False),
    Column("fills", JSON, nullable=False),
)
"""`scores` by tier and `fills` by field, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a mapping's coverage was; `reached` is none, good, better or best."""

    at: datetime
    rows: int
    reached: str
    scores: dict[str, float]
    fills: dict[str, float]


def earlier(store: ControlStore, mapping: str) -> list[Earlier]:
    """Reports of a mapping for this target, the oldest first."""
    wanted = (
        select(reports)
        .where(reports.c.target == store.target, reports.c.mapping == mapping)
        .order_by(reports.c.id.desc())
        .limit(KEPT)
    )
    with store.begin() as connection:
        rows = connection.execute(wanted).all()
    return [
        Earlier(row.reported_at, row.rows, row.reached, row.scores, row.fills)
        for row in reversed(rows)
    ]


def remember(store: ControlStore, mapping: str, now: Earlier) -> None:
    """Keep what was found, for the reports to come."""
    with store.begin() as connection:
        connection.execute(
            insert(reports).values(
                target=store.target,
                mapping=mapping,
                reported_at=now.at,
                rows=now.rows,
                reached=now.reached,
                scores=now.scores,
                fills=now.fills,
            )
        )
