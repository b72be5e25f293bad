"""First act of the demo: the warehouse of a shop that also sells trips.

All of it is invented and looks so: `user7@example.com`, `+1555…`, Example Street. It is the same
for the same arguments on every machine: no random numbers, no clock (see `sql/draws.sql`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from connector.demo.defects import Defect, spoil_events, spoil_users
from connector.demo.warehouse import Span, TableCount, count, run, set_span
from connector.errors import UsageError

TODAY = datetime(2026, 3, 1)
"""Midnight, UTC, at the end of the generated days: fixed, so that all readers get the same."""

EVENTS_PER_SESSION = 12.35
"""How many rows of all event tables together one visit leaves behind, on average."""

DEFECTS_FROM_USERS = 1_000
DEFECTS_FROM_EVENTS = 10_000
"""Smaller warehouses are clean: a handful of spoiled rows would be over 1 % of them."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was generated; tables by name, without their schema `analytics`.

    `invalid` is how many of the rows it reads an example mapping has to reject. The others count
    valid users that are no test accounts: `without_consent`, and among those who consented,
    `closed` accounts.
    """

    tables: dict[str, TableCount]
    invalid: dict[str, int]
    without_consent: int
    closed: int


def generate(
    path: Path, *, users: int = 2000, events: int = 20_000, seed: int = 7, days: int = 30
) -> Counts:
    """Write a new warehouse to `path`, in place of one that is there.

    `users` (30 at least) is exact, `events` is the approximate number of rows of all event tables
    together, of which the last `days` days before `TODAY` hold equal shares.
    """
    if users < 30 or events < 0 or days < 1:
        raise UsageError(
            f"a warehouse of {users} users and {events} events in {days} days cannot be generated",
            hint="it takes 30 users, 0 events and 1 day at least",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    span = Span(
        seed=seed,
        first_user=1,
        last_user=users,
        first_session=1,
        last_session=round(events / EVENTS_PER_SESSION),
        start=TODAY - timedelta(days=days),
        until=TODAY,
        signup_days=1095,
    )
    with duckdb.connect(fresh) as connection:
        counts = _fill(connection, span, events)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    fresh.replace(path)
    return counts


def _fill(connection: duckdb.DuckDBPyConnection, span: Span, events: int) -> Counts:
    set_span(connection, span)
    run(connection, "draws", "users", "sessions", "events", "load")
    defects: tuple[Defect, ...] = ()
    if span.last_user >= DEFECTS_FROM_USERS:
        defects += spoil_users(connection)
    if events >= DEFECTS_FROM_EVENTS:
        defects += spoil_events(connection)
    run(connection, "state")
    tables = count(connection)
    without_consent, closed = connection.execute(
        "select count(*) filter (gdpr_consent is not true),"
        " count(*) filter (gdpr_consent and status = 'closed')"
        " from analytics.dim_users where not is_test"
    ).fetchall()[0]
    return Counts(
        tables=tables,
        invalid={
            table: sum(defect.rows for defect in defects if defect.table == table)
            for table in tables
        },
        without_consent=without_consent,
        closed=closed,
    )
