"""Leases: one process at a time, on SQLite as on PostgreSQL."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select, update

import connector.control.engine
import connector.control.lease
import connector.control.store
from connector.control.lease import holders, lease
from connector.control.store import ControlStore
from connector.control.tables import leases
from connector.errors import Locked
from tests.conformance.conftest import Opening, away, skew
from tests.support.postgres import Postgres, start


def test_a_lease_is_held_by_one_at_a_time(opening: Opening) -> None:
    one, other = opening(), opening()
    with lease(one, "users"):
        assert list(holders(other)) == ["users"]
        assert "#" not in holders(other)["users"].host
        with (
            pytest.raises(Locked, match="is being synced by another process"),
            lease(other, "users"),
        ):
            pass
        with lease(other, "clicks"):
            assert set(holders(one)) == {"users", "clicks"}
    assert holders(one) == {}
    with lease(other, "users"):
        pass


def test_of_many_who_want_a_lease_at_the_same_instant_one_gets_it(opening: Opening) -> None:
    stores = [opening() for _ in range(8)]
    together, ended = threading.Barrier(len(stores)), threading.Barrier(len(stores))

    def take(store: ControlStore) -> bool:
        together.wait()
        try:
            with lease(store, "users"):
                ended.wait()
                return True
        except Locked:
            ended.wait()
            return False

    with ThreadPoolExecutor(len(stores)) as pool:
        assert sum(pool.map(take, stores)) == 1


def test_a_lease_that_is_held_briefly_is_waited_for(opening: Opening) -> None:
    one, other = opening(), opening()
    entered, left = threading.Event(), threading.Event()

    def hold() -> None:
        with lease(one, "users", briefly=True):
            entered.set()
            left.wait()

    holding = threading.Thread(target=hold)
    holding.start()
    entered.wait()
    threading.Timer(0.2, left.set).start()
    with lease(other, "users"):
        assert left.is_set()
    holding.join()


def _hold_and_wait(folder: Path, url: str | None, ready: Any) -> None:
    store = ControlStore(folder, "far", SecretStr(url) if url else None)
    with lease(store, "users"):
        ready.set()
        time.sleep(600)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_lease_of_a_process_that_was_killed_is_taken_over_at_once(
    database: str, tmp_path: Path
) -> None:
    server = start() if database == "postgresql" else None
    url = server.url(server.database()) if server else None
    context = multiprocessing.get_context("forkserver")
    ready = context.Event()
    process = context.Process(target=_hold_and_wait, args=(tmp_path, url, ready), daemon=True)
    process.start()
    ready.wait()
    with closing(ControlStore(tmp_path, "far", SecretStr(url) if url else None)) as store:
        with pytest.raises(Locked), lease(store, "users"):
            pass
        process.kill()
        process.join()
        with lease(store, "users"):
            pass


def lease_of_another_machine(store: ControlStore, lasts: timedelta) -> None:
    with store.begin() as connection:
        now = connector.control.engine.clock(connection)
        connection.execute(
            insert(leases).values(
                target="far", mapping="users", token="t", host="elsewhere", process=1,
                process_started=0.0, taken_at=now, expires_at=now + lasts,
            )
        )  # fmt: skip


def test_a_lease_of_another_machine_is_respected_until_it_expires(store: ControlStore) -> None:
    lease_of_another_machine(store, timedelta(seconds=60))
    with pytest.raises(Locked, match="process 1 on elsewhere"), lease(store, "users"):
        pass
    with store.begin() as connection:
        expired = connector.control.engine.clock(connection) - timedelta(seconds=1)
        connection.execute(update(leases).values(expires_at=expired))
    with lease(store, "users"):
        pass


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_is_wrong_takes_no_lease_away_and_holds_none_too_long(
    on_postgres: tuple[Postgres, str, Opening], monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    store = on_postgres[2]()
    lease_of_another_machine(store, timedelta(seconds=60))
    skew(monkeypatch, timedelta(hours=hours))
    with pytest.raises(Locked), lease(store, "users"):
        pass
    with store.begin() as connection:
        moment = connector.control.engine.clock(connection)
        connection.execute(update(leases).values(expires_at=moment - timedelta(seconds=1)))
    with lease(store, "users"), store.begin() as connection:
        until = connection.scalar(select(leases.c.expires_at))
        assert timedelta(0) < until - moment < timedelta(minutes=5)


def test_whoever_loses_a_lease_is_told(opening: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector.control.lease, "_RENEWED_EVERY", 0.02)
    one, other = opening(), opening()
    told = threading.Event()
    with lease(one, "users", lost=told.set):
        with other.begin() as connection:
            connection.execute(update(leases).values(token="another's"))
        assert told.wait(30)
    assert list(holders(other)) == ["users"], "what is another's is left alone"


def test_whoever_cannot_renew_a_lease_in_time_is_told(
    on_postgres: tuple[Postgres, str, Opening], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, database, open_ = on_postgres
    monkeypatch.setattr(connector.control.lease, "_RENEWED_EVERY", 0.02)
    monkeypatch.setattr(connector.control.lease, "_HOLDS", 0.1)
    monkeypatch.setattr(connector.control.store, "_PATIENCE", 0.0)
    told = threading.Event()
    store = open_()
    with lease(store, "users", lost=told.set):
        away(server, database, is_away=True)
        assert told.wait(30)
        away(server, database, is_away=False)
