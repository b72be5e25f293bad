"""Second act of the demo: one more day passes in the warehouse, and says exactly what it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb

from connector.demo.warehouse import Span, count, run, set_span
from connector.errors import SourceError


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed. Every user is counted once; all rows counted are valid and have consent.

    So a plan has `updated + cleared + new` upserts, `gone + closed` soft deletes and `erased` hard
    deletes; `without_consent` are new users who are not to be sent. `events` are the new rows that
    the example mapping of each table reads, by the table's name.
    """

    updated: int
    cleared: int
    new: int
    gone: int
    closed: int
    erased: int
    without_consent: int
    events: dict[str, int]

    @property
    def upserts(self) -> int:
        """Users to send."""
        return self.updated + self.cleared + self.new

    @property
    def soft_deletes(self) -> int:
        """Users to mark as deleted."""
        return self.gone + self.closed


def change(path: Path) -> Changes:
    """Let one day pass in a generated warehouse; called again, the next one. All of it or nothing.

    The next tier and one order more for some users, cleared cells for others; users sign up, leave
    the table, close their account; one asks for erasure; events happen, a few of which arrive one
    or two days late. Never more deletes than the default guards let through.
    """
    if not path.is_file():
        raise SourceError(f"{path} is no warehouse", hint="run `connector demo` to make one")
    with duckdb.connect(path) as connection:
        before = count(connection)
        connection.begin()
        span = _next_day(connection)
        set_span(connection, span)
        run(connection, "draws", "users", "sessions", "change", "events", "load")
        parts = Counter(
            dict(connection.execute("select part, count(*) from parts group by part").fetchall())
        )
        new, without_consent = _signed_up(connection, span)
        connection.commit()
        after = count(connection)
    return Changes(
        updated=parts["updated"],
        cleared=parts["cleared"],
        new=new,
        gone=parts["gone"],
        closed=parts["closed"],
        erased=parts["erased"],
        without_consent=without_consent,
        events={
            table: after[table].read - before[table].read
            for table in before
            if table != "dim_users"
        },
    )


def _next_day(connection: duckdb.DuckDBPyConnection) -> Span:
    seed, users, sessions, today, sessions_a_day = connection.execute(
        "select seed, users, sessions, today, sessions_a_day from demo.state"
    ).fetchall()[0]
    return Span(
        seed=seed,
        first_user=users + 1,
        last_user=users + max(users // 100, 1),
        first_session=sessions + 1,
        last_session=sessions + sessions_a_day,
        start=today,
        until=today + timedelta(days=1),
        signup_days=1,
    )


def _signed_up(connection: duckdb.DuckDBPyConnection, span: Span) -> tuple[int, int]:
    new, without_consent = connection.execute(
        "select count(*) filter (gdpr_consent), count(*) filter (gdpr_consent is not true)"
        " from analytics.dim_users where signup_ts >= ? and not is_test",
        [span.start],
    ).fetchall()[0]
    return new, without_consent
