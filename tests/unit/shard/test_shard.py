"""Which shard a key belongs to: the same for everybody, always."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.shard import Shard, parse_shard, selection, shard_name, split_name

KNOWN = {"": 10, "u1": 14, "user_1": 13, "Zoë": 4, "1234567890": 13, "a/b": 7}
"""The number of the shard, of sixteen: `printf KEY | md5sum`, the first eight digits modulo 16."""


@pytest.mark.parametrize(("key", "number"), KNOWN.items())
def test_a_key_belongs_to_the_same_shard_for_ever(key: str, number: int) -> None:
    assert [n for n in range(1, 17) if Shard(n, 16).holds(key)] == [number]


@settings(deadline=None, max_examples=50)
@given(st.one_of(st.none(), st.text()), st.integers(1, 32))
def test_duckdb_says_the_same_as_python(key: str | None, of: int) -> None:
    if key is not None and any("\ud800" <= character <= "\udfff" for character in key):
        return
    conditions = ", ".join(Shard(number, of).condition("$key") for number in range(1, of + 1))
    [found] = duckdb.execute(f"SELECT [{conditions}]", {"key": key}).fetchone() or ([],)
    assert found == [Shard(number, of).holds(key) for number in range(1, of + 1)]
    assert found.count(True) == 1


def test_shards_are_of_about_one_size() -> None:
    counts = Counter(n for i in range(20_000) for n in range(1, 9) if Shard(n, 8).holds(f"u{i}"))
    assert min(counts.values()) > 2_300
    assert max(counts.values()) < 2_700


def test_names_of_shards_are_taken_apart_again() -> None:
    shard = parse_shard("3/16")
    assert shard == Shard(3, 16)
    assert shard_name("my users", shard) == "my users 3/16"
    assert split_name("my users 3/16") == ("my users", shard)
    assert split_name("my users") == ("my users", None)
    assert split_name("1/2") == ("1/2", None)
    assert selection("my users 3/16") == "--select 'my users' --shard 3/16"
    assert selection("users") == "--select 'users'"
