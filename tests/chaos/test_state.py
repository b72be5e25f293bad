"""Trouble with the state folder: a clear error, and nothing lost."""

# ruff: noqa: S608 - made of our own numbers

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

import connector.control.engine
import connector.control.store
import connector.sync
from connector.control.store import ControlStore
from connector.errors import StateError
from connector.sandbox import SandboxProcess
from connector.snapshot.store import FORMAT
from tests.support.road import USERS, Road, assert_clean, entry

SLOW = {"latency": "30ms"}
CLICK_NOW = "insert into clicks values ('{}', 'u1', 's', date_trunc('second', now()::timestamp))"


@pytest.fixture
def road(building: Callable[..., Road]) -> Road:
    road = building(mappings={"users": USERS}, target="max_in_flight: 4, give_up_after: 2")
    add_users(road, 0, 100)
    return road


def add_users(road: Road, first: int, end: int) -> None:
    road.write(
        f"insert into users (user_id, country, note) select 'u' || i, 'de', "
        f"repeat(md5(i::text), 20) from range({first}, {end}) as t(i)"
    )


def assert_recovers(road: Road) -> None:
    """With the trouble gone, one sync brings all in step."""
    assert_clean(road.sync())
    assert road.far_users() == road.expected_users()


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A tmpfs at `folder`; skips where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    if (
        shutil.which("mount") is None
        or subprocess.run(command, check=False, capture_output=True).returncode
    ):
        pytest.skip("no permission to mount a tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def state_error(road: Road) -> str:
    """The one clear line of a sync that cannot use its state; nothing was sent."""
    before = road.far.counts()["requests_total"]
    try:
        report = road.sync()
    except StateError as error:
        message = str(error)
    else:
        assert report.exit_code == 1
        users = entry(report, "users")
        assert users.status == "failed"
        message = f"{users.error}; {users.hint}"
    assert "\n" not in message
    assert road.far.counts()["requests_total"] == before
    return message


def test_a_read_only_state_folder_is_said_and_nothing_is_sent(road: Road) -> None:
    folder = road.folder / "state"
    with mounted(folder, "-o", "ro"):
        assert str(folder) in state_error(road)
    assert_recovers(road)


def test_a_state_folder_that_became_read_only_is_said_and_nothing_is_sent(road: Road) -> None:
    folder = road.folder / "state"
    with mounted(folder):
        assert_clean(road.sync())
        add_users(road, 100, 120)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert str(folder) in state_error(road)
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        assert_recovers(road)


def test_a_file_in_the_place_of_the_state_folder_is_said(road: Road) -> None:
    (road.folder / "state").write_text("in the way")
    assert str(road.folder / "state") in state_error(road)
    (road.folder / "state").unlink()
    assert_recovers(road)


@pytest.mark.parametrize("free_kb", [0, 200, 600, 1500])
def test_a_disk_that_is_full_at_any_point_loses_nothing(
    road: Road, far: SandboxProcess, free_kb: int
) -> None:
    folder = road.folder / "state"
    with mounted(folder, "-o", "size=12m"):
        assert_clean(road.sync())
        add_users(road, 100, 2500)
        filler = folder / "filler"
        left = shutil.disk_usage(folder).free - free_kb * 1024
        filler.write_bytes(b"\0" * max(left, 0))
        with road.syncing() as syncing:
            report = syncing.result(timeout=100)
        if report["exit_code"]:
            said = [report.get("error"), *(each["error"] for each in report["mappings"])]
            assert report["exit_code"] == 1
            for each in report["mappings"]:
                acknowledged = sum(change["acknowledged"] for change in each["changes"].values())
                assert each["kind"] == "events" or each["http"]["requests"] >= acknowledged
            assert any(str(folder) in each for each in said if each), said
        filler.unlink()
        assert_recovers(road)


@pytest.mark.parametrize("damage", ["garbage", "cut", "flipped header", "flipped middle", "empty"])
def test_a_corrupt_state_file_is_said_and_left_as_it_is(
    road: Road, far: SandboxProcess, damage: str
) -> None:
    assert_clean(road.sync())
    add_users(road, 100, 120)
    file = road.state / "users.duckdb"
    good = file.read_bytes()
    broken = bytearray(good)
    if damage == "garbage":
        broken = bytearray(b"this is no database" * 1000)
    elif damage == "cut":
        del broken[len(broken) // 2 :]
    elif damage == "flipped header":
        broken[4096:4200] = bytes(104)
    elif damage == "flipped middle":
        broken[12288:] = bytes(byte ^ 0xFF for byte in broken[12288:])
    else:
        broken.clear()
    file.write_bytes(broken)
    message = state_error(road)
    assert "users.duckdb" in message
    assert file.read_bytes() == broken
    file.write_bytes(good)
    assert_recovers(road)
    assert far.counts()["requests"]["POST /v1/users"] == {"200": 120}


def test_a_lost_state_file_costs_a_repeat_and_no_more(road: Road) -> None:
    assert_clean(road.sync())
    (road.state / "users.duckdb").unlink()
    assert_recovers(road)


def test_a_newer_state_file_is_refused_by_its_format(road: Road) -> None:
    assert_clean(road.sync())
    with duckdb.connect(str(road.state / "users.duckdb")) as connection:
        connection.execute(f"update meta set value = '{FORMAT + 1}' where name = 'format'")
    add_users(road, 100, 120)
    assert f"format {FORMAT + 1}" in state_error(road)


def test_a_state_file_of_the_first_format_is_migrated(
    building: Callable[..., Road], far: SandboxProcess
) -> None:
    road = building(target="give_up_after: 2")
    add_users(road, 0, 20)
    road.write(CLICK_NOW.format("c"))
    assert_clean(road.sync())
    for file in road.state.glob("*.duckdb"):
        with duckdb.connect(str(file)) as connection:
            for table in ("snapshot", "journal"):
                connection.execute(f"alter table {table} drop column subject")
            connection.execute("update meta set value = '1' where name = 'format'")
    assert_clean(road.sync())
    road.assert_in_step()
    assert far.counts()["requests"]["POST /v1/users"] == {"200": 20}
    for file in road.state.glob("*.duckdb"):
        with duckdb.connect(str(file)) as connection:
            found = connection.execute("select value from meta where name = 'format'").fetchone()
        assert found == (str(FORMAT),)
    assert_clean(road.erase("u1")[0])
    with duckdb.connect(str(road.state / "clicks.duckdb")) as connection:
        assert connection.execute("from snapshot").fetchall() == []


def test_every_file_of_the_control_store_is_its_owners_alone_while_it_is_open(
    tmp_path: Path,
) -> None:
    before = os.umask(0o022)
    try:
        store = ControlStore(tmp_path, "far")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["control.db", "control.db-wal", "control.db-shm"], 0o600)


def test_a_newer_control_store_is_refused_by_its_format(road: Road) -> None:
    assert_clean(road.sync())
    with contextlib.closing(sqlite3.connect(road.state / "control.db")) as connection:
        connection.execute("update connector_settings set value = '99' where name = 'format'")
        connection.commit()
    add_users(road, 100, 120)
    assert "format 99" in state_error(road)


def test_a_corrupt_control_store_is_said(road: Road) -> None:
    assert_clean(road.sync())
    for file in road.state.glob("control.db*"):
        file.write_bytes(b"this is no database" * 1000)
    add_users(road, 100, 120)
    assert "control.db" in state_error(road)


def test_a_control_store_that_is_locked_for_a_while_is_waited_for(road: Road) -> None:
    assert_clean(road.sync())
    add_users(road, 100, 120)
    connection = sqlite3.connect(road.state / "control.db", check_same_thread=False)
    connection.execute("begin immediate")
    timer = threading.Timer(1.5, connection.rollback)
    timer.start()
    assert_recovers(road)
    timer.join()
    connection.close()


def test_a_clock_set_back_neither_loses_nor_deletes_anything(
    building: Callable[..., Road], far: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    road = building(target="give_up_after: 2")
    add_users(road, 0, 20)
    road.write(
        "insert into clicks select 'c' || i, 'u1', 's', "
        "date_trunc('second', now()::timestamp) - i * interval 1 hour from range(100) as t(i)"
    )
    assert_clean(road.sync())

    def before() -> datetime:
        return datetime.now(UTC).replace(tzinfo=None) - timedelta(days=400)

    for module, name in [
        (connector.control.store, "now"),
        (connector.control.engine, "now"),
        (connector.sync, "utc_now"),
    ]:
        monkeypatch.setattr(module, name, before)
    add_users(road, 20, 30)
    road.write(CLICK_NOW.format("late"))
    assert_clean(road.sync())
    monkeypatch.undo()
    road.write(CLICK_NOW.format("later"))
    assert_clean(road.sync())
    road.assert_in_step()
    assert far.counts()["soft_deleted"] == 0


# Two at once


def test_a_mapping_that_is_being_synced_is_not_synced_again(
    road: Road, far: SandboxProcess
) -> None:
    far.set_faults(SLOW)
    with road.syncing() as first:
        wait_for_users(far, 5)
        second = road.sync()
        assert second.exit_code == 6
        assert entry(second, "users").status == "locked"
        assert second.mappings[0].http.requests == 0
        assert first.result()["exit_code"] == 0
    assert road.far_users() == road.expected_users()
    assert far.counts()["requests"]["POST /v1/users"] == {"200": 100}


def test_the_lease_of_a_killed_process_is_taken_over_at_once(
    road: Road, far: SandboxProcess
) -> None:
    far.set_faults(SLOW)
    with road.syncing() as first:
        wait_for_users(far, 5)
        first.kill()
    far.set_faults({})
    assert_recovers(road)


_HOLDING = """
import os, sys
from pathlib import Path
from connector.control.lease import lease
from connector.control.store import ControlStore
with lease(ControlStore(Path(sys.argv[1]), "far"), "users"):
    os.kill(os.getpid(), 9)
"""


def test_the_lease_of_a_killed_process_nobody_waited_for_is_taken_over_at_once(road: Road) -> None:
    process = subprocess.Popen([sys.executable, "-c", _HOLDING, str(road.state)])
    try:
        while not _is_zombie(process.pid):
            time.sleep(0.01)
        assert_recovers(road)
    finally:
        process.wait()


def _is_zombie(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_lease_on_another_machine_is_respected_until_it_expires(road: Road) -> None:
    assert_clean(road.sync())
    add_users(road, 100, 120)
    here = socket.gethostname()
    store = ControlStore(road.state, "far")
    with (
        contextlib.closing(store),
        contextlib.closing(sqlite3.connect(road.state / "control.db")) as connection,
    ):
        insert = (
            "insert into connector_leases values ('far', 'users', 'token', 'elsewhere', 1, 0, "
            "datetime('now'), datetime('now', ?))"
        )
        connection.execute(insert, ["+60 seconds"])
        connection.commit()
        assert here != "elsewhere"
        assert road.sync().exit_code == 6
        connection.execute("delete from connector_leases")
        connection.execute(insert, ["-1 seconds"])
        connection.commit()
    assert_recovers(road)


def test_a_plan_while_a_sync_runs_says_locked_or_plans_and_harms_nothing(
    road: Road, far: SandboxProcess
) -> None:
    far.set_faults(SLOW)
    with road.syncing() as first:
        wait_for_users(far, 5)
        plan = road.plan()
        # It waits a little for the state file, and the sync may end meanwhile.
        assert (plan.exit_code, entry(plan, "users").status) in [(6, "locked"), (0, "done")]
        assert first.result()["exit_code"] == 0
    assert road.far_users() == road.expected_users()


def test_an_erasure_while_a_sync_runs_waits_and_is_sent_at_its_end(
    road: Road, far: SandboxProcess
) -> None:
    far.set_faults(SLOW)
    with road.syncing() as first:
        wait_for_users(far, 5)
        report, receipts = road.erase("u3", "never-heard-of")
        assert report.exit_code == 6
        assert [receipt.erasure.state for receipt in receipts] == ["requested", "requested"]
        ended = first.result()
        assert ended["exit_code"] == 0, ended
    assert [line.state for line in road.ledger()] == ["confirmed", "confirmed"]
    assert "u3" not in road.far_users(live=None)
    assert far.counts()["requests"]["DELETE /v1/users/{uid}"] == {"204": 1, "404": 1}
    assert entry(road.sync(), "users").rows.suppressed == 1


def wait_for_users(far: SandboxProcess, count: int) -> None:
    while far.counts()["users"] < count:
        time.sleep(0.01)
