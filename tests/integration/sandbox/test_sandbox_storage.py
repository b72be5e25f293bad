"""What was acknowledged stays: across a stop, a kill and a full disk."""

import contextlib
import http.client
import resource
import sqlite3
import stat
import threading

import pytest

from connector.sandbox import NotASandboxFile, Sandbox, Settings, spawn


def test_everything_survives_a_restart(tmp_path, start, click):
    database = tmp_path / "new" / "sandbox.sqlite"
    with_rows = start(database=database)
    with_rows.user(uid="u", size="L")
    with_rows.user(uid="gone")
    with_rows.user(uid="soft", is_deleted=True)
    with_rows("DELETE", "/v1/users/gone")
    with_rows.events(click(id="1"), click(id="1"))
    before = with_rows.handle.counts()
    with_rows.handle.stop()

    api = start(database=database)
    after = api.handle.counts()
    stored = ("users", "live", "soft_deleted", "events_by_type", "deleted_users", "repeats")
    assert [after[name] for name in stored] == [before[name] for name in stored]
    assert [after[name] for name in stored] == [2, 1, 1, {"click": 1}, 1, 1]
    assert after["requests_total"] == 0
    assert api.user(uid="u", size=3).status == 422


def test_what_is_stored_is_for_its_owner_only(tmp_path, start):
    database = tmp_path / "new" / "sandbox.sqlite"
    api = start(database=database)
    api.user(uid="u")
    for path in database.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_reset_forgets_rows_types_and_counts(api, click):
    api.user(uid="u", size="L")
    api.events(click())
    api.handle.reset()
    counts = api.handle.counts()
    assert (counts["users"], counts["events"], counts["requests_total"]) == (0, 0, 0)
    assert api.user(uid="u", size=3).status == 200


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path, click):
    settings = Settings(database=tmp_path / "sandbox.sqlite")
    for victim in range(3):
        process = spawn(settings)
        settings = process.settings  # the same port from now on, as a restarted API has
        acknowledged: list[str] = []
        sender = threading.Thread(target=send_until_dead, args=(process, victim, acknowledged))
        sender.start()
        while len(acknowledged) < 100 and sender.is_alive():
            sender.join(0.001)
        process.kill()
        sender.join()
        assert len(acknowledged) >= 100
        with Sandbox(settings) as survivor:
            stored = {user["uid"] for user in survivor.users()}
        assert set(acknowledged) <= stored


def send_until_dead(process, victim, acknowledged):
    connection = http.client.HTTPConnection(process.host, process.port, timeout=10)
    headers = {"Authorization": "Bearer sandbox", "Content-Type": "application/json"}
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        for number in range(100_000):
            uid = f"{victim}-{number}"
            connection.request("POST", "/v1/users", f'{{"uid": "{uid}"}}', headers)
            response = connection.getresponse()
            if response.status == 200:
                acknowledged.append(uid)
            response.read()


def test_a_process_stops_in_order(tmp_path):
    process = spawn(Settings(database=tmp_path / "sandbox.sqlite"))
    assert process.counts()["users"] == 0
    process.stop()
    assert process.process.returncode == 0


def test_a_write_that_fails_is_answered_500_and_can_be_repeated(tmp_path, start, click):
    database = tmp_path / "sandbox.sqlite"
    api = start(database=database)
    api.user(uid="before", size="L")
    with contextlib.closing(sqlite3.connect(database)) as other:
        other.execute(
            "create trigger full before insert on users begin select raise(abort, 'x'); end"
        )
        other.commit()
        answer = api.user(uid="u", colour="red")
        assert (answer.status, answer.json["code"]) == (500, "storage_failed")
        assert "x" not in answer.message.split()
        other.execute("drop trigger full")
        other.commit()
    assert api.handle.counts()["users"] == 1
    assert api.user(uid="u", colour=1).status == 200
    assert api.user(uid="u", size=1).status == 422


def test_a_full_disk_is_answered_500_and_never_acknowledged(tmp_path, calling):
    database = tmp_path / "sandbox.sqlite"
    with spawn(Settings(database=database)) as process:
        api = calling(process)
        assert api.user(uid="before").status == 200
        log = database.with_name("sandbox.sqlite-wal")
        _, hard = resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE)
        full = (log.stat().st_size, hard)
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, full)
        assert {api.user(uid=f"u{n}").status for n in range(5)} == {500}
        assert process.counts()["users"] == 1
        resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert api.user(uid="u1").status == 200
        assert [user["uid"] for user in process.users()] == ["before", "u1"]


def test_a_file_that_is_no_sandbox_is_left_alone(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but somebody's notes " * 100)
    with pytest.raises(NotASandboxFile, match=r"notes\.txt"):
        Sandbox(Settings(database=text))
    assert text.read_text().startswith("not a database")
    foreign = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(foreign)) as db:
        db.execute("create table theirs (a)")
        db.commit()
    with pytest.raises(NotASandboxFile, match="format"):
        Sandbox(Settings(database=foreign))
