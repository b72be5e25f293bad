"""Erased stays erased though the control store is lost: nothing is sent without its list."""

from __future__ import annotations

import json

import pytest

from connector.control.store import control_file
from tests.support.shop import Shop


def lose(shop: Shop, *, empty: bool = False) -> None:
    """The control store is gone, with all that lies beside it."""
    file = control_file(shop.folder / ".connector" / "local")
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()
    if empty:
        file.touch()


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("command", [["sync"], ["sync", "--full-refresh"], ["plan"]])
def test_nothing_is_sent_beside_a_control_store_that_does_not_list_the_erased(
    shop: Shop, command: list[str], *, empty: bool
) -> None:
    assert shop("sync").code == 0
    assert shop("erase", "u_1", "--yes").code == 0
    lose(shop, empty=empty)
    refused = shop(*command)
    assert refused.code == 1
    assert "would be sent again" in refused.err
    assert "connector erase --new-list" in refused.err
    assert shop.sandbox.user("u_1") is None


def test_whoever_is_erased_again_stays_erased_with_a_new_list(shop: Shop) -> None:
    assert shop("sync").code == 0
    assert shop("erase", "u_1", "--yes").code == 0
    lose(shop)
    assert shop("erase", "u_1", "--yes").code == 0
    assert shop("sync").code == 1
    assert shop("erase", "--new-list").code == 2
    found = shop("erase", "--new-list", "--yes", "--json")
    assert json.loads(found.out)["new_list"] > 0
    assert shop("sync", "--full-refresh").code == 0
    assert shop.sandbox.user("u_1") is None
    assert shop.sandbox.user("u_2") is not None
    lose(shop)
    assert shop("sync").code == 1


def test_where_nobody_was_erased_a_new_control_store_will_do(shop: Shop) -> None:
    assert shop("sync").code == 0
    lose(shop)
    assert shop("sync").code == 0
