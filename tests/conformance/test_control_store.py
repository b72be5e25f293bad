"""What every control store must do: SQLite for one machine, PostgreSQL for a fleet."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select, text

from connector.control import chunks, history, runs
from connector.control.erasures import Ledger
from connector.control.lease import holders, lease
from connector.control.store import ControlStore
from connector.control.tables import senders
from connector.coverage.history import Earlier, earlier, remember
from connector.errors import StateError
from tests.conformance.conftest import Opening, away
from tests.support.postgres import Postgres, start

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
