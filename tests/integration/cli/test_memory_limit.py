"""How much memory comparing may take, the environment says."""

from __future__ import annotations

import pytest

from connector.memory import DEFAULT, MEMORY_LIMIT, memory_limit
from tests.support.shop import Shop


@pytest.mark.parametrize(
    ("given", "limit"),
    [("", DEFAULT), ("512MB", "512MB"), (" 1.5 GiB ", "1.5 GiB"), ("4gb", "4gb")],
)
def test_the_environment_says_how_much_memory_there_is(
    monkeypatch: pytest.MonkeyPatch, given: str, limit: str
) -> None:
    monkeypatch.setenv(MEMORY_LIMIT, given)
    assert memory_limit() == limit


@pytest.mark.parametrize("given", ["much", "1", "-1GB", "80%", "1GB; SET x = 1"])
def test_what_is_no_amount_of_memory_is_said_to_be_none(
    monkeypatch: pytest.MonkeyPatch, shop: Shop, given: str
) -> None:
    monkeypatch.setenv(MEMORY_LIMIT, given)
    outcome = shop("plan")
    assert outcome.code == 1
    assert f"{MEMORY_LIMIT} is no amount of memory" in outcome.err


def test_too_little_memory_is_told_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    shop.sql("insert into users select 'u_' || n, 'NO', n from range(20, 100_000) as t(n)")
    monkeypatch.setenv(MEMORY_LIMIT, "1MB")
    outcome = shop("plan", "--select", "users")
    assert outcome.code == 1
    assert MEMORY_LIMIT in outcome.err
