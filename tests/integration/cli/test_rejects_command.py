"""Rejected rows: refused by a rule or by the API, looked at, tried again, exported."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.support.shop import Shop


@pytest.fixture
def refused(shop: Shop) -> Shop:
    """A shop whose users 1 and 2 the API refused, and one row a rule."""
    shop.sandbox.set_poison(
        [{"resource": "users", "field": "uid", "equals": uid} for uid in ("u_1", "u_2")]
    )
    shop.sql("insert into users values (null, 'NO', 100)")
    assert shop("sync", "--select", "users").code == 3
    return shop


def test_the_list_counts_by_reason_and_shows_rows(refused: Shop) -> None:
    listed = refused("rejects")
    assert listed.code == 0
    lines = [line.split() for line in listed.out.splitlines()]
    assert ["users:", "3", "rows", "rejected"] in lines
    assert ["key_null", "uid", "1"] in lines
    assert [line[0] for line in lines if line and line[0] in ("u_1", "u_2", "(none)")]
    assert "judged anew by every sync" in listed.out


def test_list_is_meant_when_no_command_is_named(refused: Shop) -> None:
    listed = refused("rejects", "--json", "--limit", "1", "--code", "key_null")
    assert listed.json["command"] == "rejects list"
    users = listed.mapping("users")
    assert (users["rejected"], len(users["rejects"])) == (1, 1)
    assert users["rejects"][0]["key"] is None
    assert refused("rejects", "list", "--json").mapping("users")["rejected"] == 3


def test_nothing_rejected_is_said_and_nothing_made(shop: Shop) -> None:
    assert shop("rejects").out == "No row is rejected at target 'local'.\n"
    assert not (shop.folder / ".connector").exists()


def test_too_many_rejects_exit_with_3_and_say_why(refused: Shop) -> None:
    again = refused("sync", "--select", "users")
    assert again.code == 3
    assert "max_reject_percent" in again.err
    assert "`connector rejects` shows which, and why." in again.out


def test_a_retry_sends_what_the_api_refused_and_no_more(refused: Shop) -> None:
    refused.sandbox.set_poison([])
    before = refused.sandbox.counts()["requests_total"]
    retried = refused("rejects", "retry", "--json")
    assert retried.json["command"] == "rejects retry"
    assert retried.mapping("users")["changes"]["upsert"]["acknowledged"] == 2
    assert refused.sandbox.counts()["requests_total"] == before + 2
    assert refused.sandbox.user("u_1") is not None
    nothing = refused("rejects", "retry")
    assert nothing.code == 0
    assert "refused no such row" in nothing.out


def test_a_retry_of_one_reason_leaves_the_others(refused: Shop) -> None:
    refused.sandbox.set_poison([])
    assert "refused no such row" in refused("rejects", "retry", "--code", "no_such_code").out
    assert refused.sandbox.user("u_1") is None


def test_export_writes_every_row_to_stdout_or_a_file(refused: Shop, tmp_path: Path) -> None:
    exported = refused("rejects", "export", "--output", "rejects.json", "--format", "json")
    assert exported.code == 0
    assert exported.out == ""
    rows = json.loads((tmp_path / "rejects.json").read_text())
    assert {row["key"] for row in rows} == {"u_1", "u_2", None}
    assert {row["origin"] for row in rows} == {"api", "source"}


def test_export_to_stdout_is_data_alone(refused: Shop) -> None:
    process = refused.start("rejects", "export", "--code", "key_null")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert [row["code"] for row in csv.DictReader(io.StringIO(out))] == ["key_null"]
    assert err == "1 rejected row of target 'local' written to stdout\n"


def test_a_key_that_no_request_can_name_is_shown_escaped(shop: Shop) -> None:
    shop.sql(
        "insert into users values ('..', 'NO', 1), ('a' || chr(10) || 'b', 'NO', 1), "
        "('', 'NO', 1), ('nul' || chr(0), 'NO', 1)"
    )
    planned = shop("plan", "--select", "users", "--json").mapping("users")
    synced = shop("sync", "--select", "users", "--json").mapping("users")
    listed = shop("rejects", "--json").mapping("users")["rejects"]
    for rejects in (planned["rejects"], synced["rejects"], listed):
        assert {each["key"] for each in rejects} == {"..", "a\\nb", "", "nul\\x00"}
        assert {each["code"] for each in rejects} == {"unaddressable_key"}
    shown = [line.split()[0] for line in shop("rejects").out.splitlines() if "could" in line]
    assert sorted(shown) == ["(empty)", "..", "a\\nb", "nul\\x00"]


def test_a_feed_that_names_nobody_is_told_and_listed_and_changes_no_count(shop: Shop) -> None:
    shop.sql(
        "create table gone (who varchar)",
        "insert into gone values ('u_1'), ('stranger'), ('.'), ('a' || chr(9)), (null), ('')",
    )
    mapping = (shop.files.path / "users.yaml").read_text()
    shop.files.write("users.yaml", mapping + "deletes: {erasures: {table: gone, key: who}}\n")
    for deleted in (2, 0):
        synced = shop("sync", "--select", "users", "--json")
        users = synced.mapping("users")
        assert (synced.code, users["status"]) == (0, "done")
        deletes = users["changes"]["hard_delete"]
        assert (deletes["planned"], deletes["rejected"]) == (deleted, 0)
        assert users["rows"]["rejected"] == 0
        assert [each["key"] for each in users["rejects"]] == [".", "a\\t"]
        assert "no request can name 2 of the uids in the erasure feed" in synced.err
    shop.sql("delete from gone where length(who) < 3")
    after = shop("sync", "--select", "users", "--json").mapping("users")
    assert (after["rejects"], after.get("warnings")) == ([], None)


def test_a_state_file_that_is_none_is_said_with_what_to_do(refused: Shop) -> None:
    (file,) = (refused.folder / ".connector").rglob("users.duckdb")
    file.write_bytes(b"this is no database")
    listed = refused("rejects", "--select", "users")
    assert listed.code == 1
    assert "users.duckdb cannot be opened" in listed.err
    assert "hint: restore it from a backup" in listed.err
