"""Those who send at the same time know of each other, on SQLite as on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

import connector.control.engine
import connector.control.sharing
import connector.control.store
from connector.control.sharing import FORGOTTEN, Share
from connector.control.store import ControlStore
from connector.control.tables import senders
from connector.errors import StateError
from tests.conformance.conftest import Opening, away, skew
from tests.support.postgres import Postgres


def test_those_who_send_know_of_each_other(opening: Opening) -> None:
    first, second = Share(opening(), idle=lambda: False), Share(opening(), idle=lambda: False)
    first.look()
    assert (first.count, first.joining) == (1, False)
    second.look()
    assert (second.count, second.joining) == (2, True)
    first.look()
    assert first.count == 2
    second.leave()
    first.look()
    assert first.count == 1


def test_one_that_died_is_forgotten(store: ControlStore) -> None:
    share = Share(store, idle=lambda: False)
    with store.begin() as connection:
        before = connector.control.engine.clock(connection) - FORGOTTEN - timedelta(seconds=1)
        connection.execute(insert(senders).values(target="far", token="dead", seen_at=before))
    share.look()
    assert share.count == 1


@pytest.mark.parametrize("hours", [-2, 2])
def test_one_whose_clock_is_wrong_counts_and_is_counted(
    on_postgres: tuple[Postgres, str, Opening], monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    right = Share(on_postgres[2](), idle=lambda: False)
    right.look()
    with monkeypatch.context() as clock:
        skew(clock, timedelta(hours=hours))
        wrong = Share(on_postgres[2](), idle=lambda: False)
        wrong.look()
        assert wrong.count == 2
    right.look()
    assert right.count == 2


def test_one_that_cannot_reach_the_store_stops_sending_and_joins_anew(
    on_postgres: tuple[Postgres, str, Opening], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, database, open_ = on_postgres
    monkeypatch.setattr(connector.control.store, "_PATIENCE", 0.0)
    store, other = open_(), Share(open_(), idle=lambda: False)
    share = Share(store, idle=lambda: False)
    share.look()
    assert not share.joining
    away(server, database, is_away=True)
    monkeypatch.setattr(connector.control.sharing, "_UNHEARD", 0.0)
    with pytest.raises(StateError):
        share.look()
    assert share.joining
    away(server, database, is_away=False)
    other.look()
    share.look()
    monkeypatch.setattr(connector.control.sharing, "_UNHEARD", 600.0)
    assert share.count == 2
    assert share.joining, "the others need time to see it again"
