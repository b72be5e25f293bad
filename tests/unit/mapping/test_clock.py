"""Expressions that read the clock are found, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.errors import Place
from connector.mapping.clock import clock_reads
from connector.mapping.mapping import Deletes, Expression, Field, Mapping
from connector.mapping.rules import Kind

PLACE = Place(Path("m.yaml"), 1, 1)
COLUMNS = ["user_id", "seen", "Today", "localtime"]


def found(sql: str) -> list[str]:
    mapping = Mapping(
        name="m",
        kind=Kind.USERS,
        place=PLACE,
        source="w",
        fields=(Field("uid", Expression("user_id", PLACE), PLACE),),
        deletes=Deletes(soft_when=Expression(sql, PLACE)),
    )
    return [read.name for read in clock_reads(mapping, COLUMNS)]


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("now() > seen", "now()"),
        ("NOW() > seen", "now()"),
        ("seen < today()", "today()"),
        ("seen < current_date", "current_date"),
        ("seen < CURRENT_TIMESTAMP - interval 1 day", "current_timestamp"),
        ("age(seen) > interval 1 day", "age()"),
        ("seen.age() > interval 1 day", "age()"),
        ("ago(interval 1 day) > seen", "ago()"),
        ("current_localtimestamp() > seen", "current_localtimestamp()"),
        ("list_filter([seen], lambda x: x < get_current_timestamp())[1] is null",
         "get_current_timestamp()"),
        ("case when user_id = 'a' then transaction_timestamp() > seen end",
         "transaction_timestamp()"),
    ],
)  # fmt: skip
def test_an_expression_that_reads_the_clock_is_found(sql: str, name: str) -> None:
    assert found(sql) == [name]


@pytest.mark.parametrize(
    "sql",
    [
        "user_id = 'now()'",
        "user_id = 'today' -- current_date",
        "today",
        "localtime > '12:00'",
        "age(seen, timestamp '2026-01-01') > interval 1 day",
        "seen.age(timestamp '2026-01-01') > interval 1 day",
        "date_trunc('day', seen) = date '2026-01-01'",
    ],
)
def test_one_that_does_not_is_not(sql: str) -> None:
    assert found(sql) == []
