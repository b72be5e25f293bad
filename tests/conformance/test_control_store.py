"""What every control store must do: SQLite for one machine, PostgreSQL for a fleet."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select, text, update

import connector.control.engine
import connector.control.erasures
import connector.control.lease
import connector.control.sharing
import connector.control.store
from connector.control import chunks, history, runs
from connector.control.erasures import Ledger
from connector.control.lease import holders, lease
from connector.control.sharing import FORGOTTEN, Share
from connector.control.store import ControlStore
from connector.control.tables import leases, senders
from connector.coverage.history import Earlier, earlier, remember
from connector.errors import Locked, StateError
from tests.support.postgres import Postgres, start

Opening = Callable[[], ControlStore]


@pytest.fixture(params=["sqlite", "postgresql"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opening]:
    """Opens the same store again and again, each time as another process would."""
    url = None
    if request.param == "postgresql":
        server = start()
        url = SecretStr(server.url(server.database()))
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(ControlStore(tmp_path, "far", url)))


@pytest.fixture
def store(opening: Opening) -> ControlStore:
    return opening()


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[tuple[Postgres, str, Opening]]:
    """A server, the name of a database of it, and a store therein."""
    server = start()
    database = server.database()
    url = SecretStr(server.url(database))
    with ExitStack() as opened:
        yield (
            server,
            database,
            lambda: opened.enter_context(closing(ControlStore(tmp_path, "far", url))),
        )


def skew(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Let this process's clock be wrong, for whatever of the control store looks at it."""
    right = connector.control.engine.now

    def wrong() -> datetime:
        return right() + by

    for module in ("engine", "store", "lease", "sharing", "erasures"):
        monkeypatch.setattr(f"connector.control.{module}.now", wrong, raising=False)


# Leases


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


def away(server: Postgres, database: str, *, is_away: bool) -> None:
    """Let nobody into a database, and throw everybody out."""
    allowed = "false" if is_away else "true"
    server.run(
        "postgres",
        f"ALTER DATABASE {database} ALLOW_CONNECTIONS {allowed}",
        "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity "  # noqa: S608 - ours
        f"WHERE datname = '{database}'",
    )


# Erasures and suppressions


def test_an_erasure_is_followed_from_the_request_to_the_suppression(opening: Opening) -> None:
    one, other = opening(), opening()
    hasher = one.hasher()
    assert hasher("u1") == other.hasher()("u1")
    hashes: dict[str, str | None] = {hasher("u1"): "u1", hasher("u2"): "u2"}
    Ledger(one).request(hashes, rule="erase", run_id="r1")
    Ledger(other).request(hashes, rule="erase", run_id="r2")
    assert sorted(Ledger(other).by_hand().values()) == ["u1", "u2"]
    Ledger(one).sent(hashes)
    Ledger(other).confirm({hasher("u1"): 204}, "r3")
    assert list(Ledger(one).by_hand().values()) == ["u2"]
    assert list(one.suppressed()) == [hasher("u1")]
    states = {line.uid_hash: line.state for line in Ledger(one).lines()}
    assert states == {hasher("u1"): "confirmed", hasher("u2"): "sent"}
    assert one.lift([hasher("u1")]) == 1
    assert other.suppressed_count() == 0


def test_a_user_whom_two_mappings_erase_at_the_same_instant_is_suppressed_once(
    opening: Opening,
) -> None:
    stores = [opening() for _ in range(4)]
    together = threading.Barrier(len(stores))
    hashes = [stores[0].hasher()(f"u{i}") for i in range(20)]
    Ledger(stores[0]).request(dict.fromkeys(hashes), rule="feed", run_id="r", mapping="users")

    def confirm(store: ControlStore) -> None:
        together.wait()
        Ledger(store).confirm(dict.fromkeys(hashes, 204), "r")

    with ThreadPoolExecutor(len(stores)) as pool:
        list(pool.map(confirm, stores))
    assert sorted(stores[0].suppressed()) == sorted(hashes)
    assert {line.state for line in Ledger(stores[0]).lines()} == {"confirmed"}


def test_a_flag_that_was_taken_back_withdraws_what_its_mapping_asked_for(
    store: ControlStore,
) -> None:
    ledger = Ledger(store)
    ledger.request({"h1": None, "h2": None}, rule="hard_when", run_id="r", mapping="users")
    ledger.request({"h3": None}, rule="hard_when", run_id="r", mapping="others")
    ledger.withdraw("users", ["h2"], "r2")
    states = {line.uid_hash: line.state for line in ledger.lines()}
    assert states == {"h1": "withdrawn", "h2": "requested", "h3": "requested"}
    assert ledger.asked("users") == ["h2"]


# Runs, chunks, coverage


def run(store: ControlStore, mapping: str, *, planned: int = 0, status: str = "done") -> int:
    number = store.start_run("r", mapping, "sync")
    report = {"changes": {"upsert": {"planned": planned}}}
    store.finish_run(
        number, status=status, pending=0, rejected=0, seconds=1.5, report=report, error=None
    )
    return number


def test_runs_are_kept_with_their_reports(opening: Opening) -> None:
    store, other = opening(), opening()
    first = run(store, "users", planned=3)
    run(other, "users", status="incomplete")
    begun = other.start_run("r2", "users", "sync")
    assert store.last_runs()["users"]["id"] == begun
    assert history.ended_runs(store)["users"]["status"] == "incomplete"
    assert list(store.last_success()) == ["users"]
    assert len(history.runs_of(store, "r")) == 2
    [earlier_one] = history.earlier_runs(store, "users", "sync", begun - 1, 5)
    assert earlier_one["id"] == first
    assert earlier_one["report"] == {"changes": {"upsert": {"planned": 3}}}
    assert runs.latest_run(store, "users") == begun


def test_of_runs_that_found_nothing_to_do_the_last_is_kept(store: ControlStore) -> None:
    for planned in (5, 0, 0, 0):
        number = run(store, "users", planned=planned)
        if not planned:
            runs.forget_idle_before(store, "users", number)
    assert len(history.runs_of(store, "r")) == 2


def test_chunks_of_a_backfill_are_recorded_once(opening: Opening) -> None:
    store = opening()
    start_, end = datetime(2026, 3, 1), datetime(2026, 3, 2)
    since = store.time()
    for rows in (5, 6_000_000_000):
        chunks.record(
            store, "clicks", "v1", start=start_, end=end, rows=rows, acknowledged=rows,
            rejected=0, known=0, run_id="r",
        )  # fmt: skip
    [chunk] = chunks.completed(opening(), "clicks", "v1", since=since - timedelta(minutes=1))
    assert (chunk.start, chunk.end, chunk.rows) == (start_, end, 6_000_000_000)
    assert chunks.completed(store, "clicks", "v2") == []


def test_coverage_is_compared_with_earlier_reports(store: ControlStore) -> None:
    report = Earlier(datetime(2026, 3, 1), 7, "good", {"good": 0.5}, {"age": 1.0})
    remember(store, "users", report)
    assert earlier(store, "users") == [report]


# The quota


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


# The database itself


def test_many_processes_may_make_the_tables_at_the_same_instant(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(8)

    def open_(_: int) -> str:
        together.wait()
        return opening().hasher()("u1")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(open_, range(8)))) == 1


def test_connections_that_were_dropped_while_idle_are_made_anew(
    on_postgres: tuple[Postgres, str, Opening],
) -> None:
    server, database, open_ = on_postgres
    store = open_()
    with lease(store, "users"):
        away(server, database, is_away=True)
        away(server, database, is_away=False)
        run(store, "users")
        assert list(holders(store)) == ["users"]


def test_a_server_that_is_away_for_a_moment_is_waited_for(
    on_postgres: tuple[Postgres, str, Opening],
) -> None:
    server, database, open_ = on_postgres
    store = open_()
    away(server, database, is_away=True)
    threading.Timer(0.5, lambda: away(server, database, is_away=False)).start()
    assert store.suppressed_count() == 0


def test_a_connection_dropped_in_the_middle_is_a_clear_error_and_changes_nothing(
    on_postgres: tuple[Postgres, str, Opening],
) -> None:
    server, database, open_ = on_postgres
    store = open_()

    def note() -> None:
        with store.begin() as connection:
            values = {"target": "far", "token": "t", "seen_at": datetime.min}
            connection.execute(insert(senders).values(values))
            away(server, database, is_away=True)
            away(server, database, is_away=False)
            connection.execute(text("SELECT 1"))

    with pytest.raises(StateError, match="the control store cannot be used") as raised:
        note()
    assert raised.value.hint
    assert "\n" not in raised.value.message
    with store.begin() as connection:
        assert connection.execute(select(senders)).all() == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:geheim@127.0.0.1:1/x",
        "postgresql://someone:geh@geheim@nowhere.invalid/x",
        "postgresql://someone:x:geheim@127.0.0.1:geheim/x",
        "mysql://someone:geheim@127.0.0.1/x",
        "nosuch://someone:geheim@127.0.0.1/x",
        "geheim",
    ],
)
def test_what_is_wrong_with_the_url_is_said_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(StateError) as raised:
        ControlStore(tmp_path, "far", SecretStr(url))
    assert "geheim" not in str(raised.value) + repr(raised.value) + str(raised.value.hint)
    assert raised.value.__cause__ is None


def test_a_wrong_password_is_said_without_it(tmp_path: Path) -> None:
    server = start()
    server.run("postgres", "CREATE USER guest PASSWORD 'richtig'")
    server.demand_password("guest")
    url = SecretStr(server.url(server.database(), "guest", "geheim"))
    with pytest.raises(StateError, match="password authentication failed") as raised:
        ControlStore(tmp_path, "far", url)
    assert "geheim" not in str(raised.value)
