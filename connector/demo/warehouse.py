"""What both acts of the demo share: the SQL files, their settings, and counting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib import resources

import duckdb


@dataclass(frozen=True, slots=True)
class Span:
    """What one act adds to the warehouse; numbers count from 1 and both ends are included.

    Users sign up within the `signup_days` before `until`; events arrive from `start` to `until`.
    """

    seed: int
    first_user: int
    last_user: int
    first_session: int
    last_session: int
    start: datetime
    until: datetime
    signup_days: int


@dataclass(frozen=True, slots=True)
class TableCount:
    """Rows of a table, and how many of them the example mapping of that table reads."""

    total: int
    read: int


def set_span(connection: duckdb.DuckDBPyConnection, span: Span) -> None:
    """Make `span` known to the SQL files, as DuckDB variables of the same names."""
    settings = {
        "seed": span.seed,
        "first_user": span.first_user,
        "last_user": span.last_user,
        "first_session": span.first_session,
        "last_session": span.last_session,
        "start": span.start,
        "until": span.until,
        "signup_days": span.signup_days,
    }
    for name, value in settings.items():
        connection.execute(f"set variable {name} = ?", [value])


def run(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Run files of `connector/demo/sql`, in the order given."""
    for name in names:
        connection.execute(_sql(name))


def count(connection: duckdb.DuckDBPyConnection) -> dict[str, TableCount]:
    """Count every table of the schema `analytics`, by its name without the schema."""
    rows = connection.execute(_sql("counts")).fetchall()
    return {table: TableCount(total, read) for table, total, read in rows}


def _sql(name: str) -> str:
    return resources.files(__package__).joinpath("sql", f"{name}.sql").read_text("utf-8")
