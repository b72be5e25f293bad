"""The database in which expressions are bound: shared, locked in, and replaced when it is lost."""

from __future__ import annotations

from contextlib import closing

import duckdb
import pytest

from connector.mapping import scratch as module
from connector.mapping.scratch import scratch


def test_two_that_bind_at_once_do_not_see_each_others_tables() -> None:
    with closing(scratch()) as one, closing(scratch()) as other:
        one.execute("CREATE TEMP TABLE source AS SELECT 1 AS a")
        other.execute("CREATE TEMP TABLE source AS SELECT 'x' AS b")
        assert one.execute("FROM source").fetchall() == [(1,)]
        assert other.execute("FROM source").fetchall() == [("x",)]


def test_times_are_utc_and_files_are_out_of_reach() -> None:
    with closing(scratch()) as connection:
        assert connection.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
        with pytest.raises(duckdb.PermissionException):
            connection.execute("FROM read_text('/etc/hostname')")
        with pytest.raises(duckdb.InvalidInputException):
            connection.execute("SET enable_external_access = true")


def test_a_database_that_was_given_up_is_replaced() -> None:
    module._database().close()
    with closing(scratch()) as connection:
        assert connection.execute("SELECT 42").fetchall() == [(42,)]
