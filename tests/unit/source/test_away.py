from __future__ import annotations

import pytest

from connector.source.query import is_away


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("connection to server at 10.0.0.1 failed: Connection refused", ""),
        ("database is locked", ""),
        ("FATAL: the database system is starting up", "57P03"),
        ("could not serialize access", "40001"),
    ],
)
def test_a_database_that_is_away_or_busy_may_come_back(said: str, state: str) -> None:
    assert is_away(said, state)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ('password authentication failed for user "x"', "28P01"),
        ('relation "users" does not exist', "42P01"),
        ("no such table: users", ""),
    ],
)
def test_what_somebody_has_to_mend_does_not_pass(said: str, state: str) -> None:
    assert not is_away(said, state)
