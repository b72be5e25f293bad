"""Validate, plan, sync, status: the commands over a real warehouse and a real server."""

import pytest

from tests.support.shop import CLICKS, USERS, Shop


def test_a_project_is_validated_planned_synced_and_then_in_step(shop: Shop) -> None:
    valid = shop("validate")
    assert valid.code == 0
    assert [line.split()[:2] for line in valid.out.splitlines()[:2]] == [
        ["ok", "users"],
        ["ok", "clicks"],
    ]

    planned = shop("plan", "--detailed-exitcode")
    assert planned.code == 2
    assert "users: 20 changes in 20 requests" in planned.out
    assert "clicks: 30 changes in 1 request" in planned.out
    assert shop.sandbox.counts()["users"] == 0

    synced = shop("sync")
    assert (synced.code, synced.err) == (0, "")
    assert "50 rows acknowledged by target 'local' in 21 requests" in synced.out
    assert shop.sandbox.counts()["live"] == 20

    again = shop("plan", "--detailed-exitcode")
    assert again.code == 0
    assert "No changes: target 'local' is in step." in again.out
    idle = shop("sync", "--json")
    assert [each["http"]["requests"] for each in idle.json["mappings"]] == [0, 0]


def test_a_plan_names_reasons_fields_and_rows(shop: Shop) -> None:
    shop("sync")
    shop.sql(
        "update users set country = 'SE' where orders < 3",
        "delete from users where id = 'u_19'",
        "insert into users values ('u_20', 'DK', 1)",
    )
    lines = [line.strip() for line in shop("plan").out.splitlines()]
    assert "users: 5 changes in 5 requests" in lines
    assert "upserts              4   3 changed, 1 new" in lines
    assert "soft deletes         1   1 left" in lines
    assert "fields that changed: country 3" in lines
    assert "e.g. upsert u_0 (changed): country" in lines


def test_a_plan_says_from_what_to_what_and_covers_personal_data(shop: Shop) -> None:
    kept = USERS.replace(
        "orders}", "orders, mail: {expr: mail, pii: allow}, last_name: {expr: mail, pii: allow}}"
    )
    shop.files.write("users.yaml", f"{kept}snapshot: {{keep: payload}}\n")
    shop.sql("alter table users add column mail varchar")
    shop.sql("update users set mail = id || '@old.example' where orders < 3")
    assert "@old" not in shop("plan", "--json").out
    shop("sync")
    shop.sql("update users set mail = id || '@new.example', orders = 40 where orders = 3")
    shop.sql("update users set mail = id || '@new.example', orders = 41 where orders = 2")
    planned = shop("plan", "--select", "users")
    assert (
        'e.g. upsert u_2 (changed): last_name "***" → "***", mail "***" → "***", '
        "total_orders 2 → 41"
    ) in planned.out
    assert 'e.g. upsert u_3 (changed): last_name null → "***", mail null → "***"' in planned.out
    document = shop("plan", "--select", "users", "--json")
    assert document.mapping("users")["samples"][0]["before"] == {
        "uid": "u_2", "country": "NO", "total_orders": 2, "mail": "***", "last_name": "***",
        "is_deleted": False,
    }  # fmt: skip
    assert "@" not in planned.out + document.out


def test_json_is_the_only_thing_on_stdout(shop: Shop) -> None:
    planned = shop("plan", "--json")
    document = planned.json
    assert (document["command"], document["target"], document["exit_code"]) == ("plan", "local", 0)
    assert planned.mapping("users")["changes"]["upsert"] == {"planned": 20, "reasons": {"new": 20}}
    synced = shop("sync", "--json", "-v")
    assert synced.mapping("users")["changes"]["upsert"] == {
        "planned": 20, "acknowledged": 20, "rejected": 0, "pending": 0,
    }  # fmt: skip
    assert "users: sending 20 rows" in synced.err


def test_only_selected_mappings_run(shop: Shop) -> None:
    synced = shop("sync", "--json", "--select", "c*", "--exclude", "users")
    assert [each["name"] for each in synced.json["mappings"]] == ["clicks"]


def test_a_limit_leaves_the_rest_pending_and_exits_4(shop: Shop) -> None:
    limited = shop("sync", "--limit", "5")
    assert limited.code == 4
    assert "40 rows are pending; the next `connector sync` sends them." in limited.out
    assert shop("sync").code == 0
    assert shop.sandbox.counts()["live"] == 20


def test_a_guard_stops_the_plan_and_the_sync_and_says_how_to_go_on(shop: Shop) -> None:
    shop("sync")
    shop.sql("delete from users where orders >= 15")
    planned = shop("plan", "--select", "users")
    assert planned.code == 5
    assert "soft deletes         5   5 left" in planned.out
    assert "A guard holds them back." in planned.out
    assert "--allow-deletes 5" in planned.err
    synced = shop("sync", "--json", "--select", "users")
    assert (synced.code, synced.mapping("users")["status"]) == (5, "blocked")
    assert "--allow-deletes 5" in synced.mapping("users")["hint"]
    told = shop("status", "--json")
    last = told.mapping("users")["last_run"]
    assert last["error"].startswith("5 of 20 synced rows (25.0%) would be deleted")
    assert (last["hint"], told.json["exit_code"]) == (synced.mapping("users")["hint"], 0)
    assert shop("sync", "--select", "users", "--allow-deletes", "5").code == 0
    assert shop.sandbox.counts()["soft_deleted"] == 5


def test_rebaseline_adopts_without_sending(shop: Shop) -> None:
    adopted = shop("sync", "--rebaseline", "--json")
    assert adopted.mapping("users")["adopted"] == 20
    assert shop.sandbox.counts()["users"] == 0
    assert shop("plan", "--detailed-exitcode").code == 0


def test_full_refresh_sends_everything_again(shop: Shop) -> None:
    shop("sync")
    again = shop("sync", "--full-refresh", "--json", "--select", "users")
    assert again.mapping("users")["changes"]["upsert"]["acknowledged"] == 20


def test_options_that_contradict_each_other_are_wrong_usage(shop: Shop) -> None:
    assert shop("sync", "--rebaseline", "--full-refresh").code == 2


def test_a_refused_key_is_an_error_told_once_for_each_mapping(shop: Shop) -> None:
    text = (shop.files.path / "project.yaml").read_text()
    shop.files.write("project.yaml", text.replace("api_key: sandbox", "api_key: not-the-key"))
    refused = shop("sync", "--json")
    assert refused.code == 1
    assert [each["status"] for each in refused.json["mappings"]] == ["failed", "failed"]
    assert "not-the-key" not in refused.out + refused.err


def test_mistakes_of_several_mappings_are_all_found(shop: Shop) -> None:
    shop.files.write("users.yaml", USERS.replace("country: country", "country: contry"))
    shop.files.write("clicks.yaml", CLICKS.replace("item_id: item,", "item_id: sku, rank: rnk,"))
    found = shop("validate")
    assert found.code == 1
    assert [line for line in found.err.splitlines() if line.startswith("mappings/")] == [
        "mappings/clicks.yaml:5:61: 'sku' is no column of clicks",
        "mappings/clicks.yaml:5:72: 'rnk' is no column of clicks",
        "mappings/users.yaml:4:28: 'contry' is no column of users",
    ]
    document = shop("validate", "--json").json
    assert (document["exit_code"], len(document["problems"])) == (1, 3)
    assert [each["valid"] for each in document["mappings"]] == [False, False]


def test_a_source_that_is_not_there_is_reported_once(shop: Shop) -> None:
    (shop.folder / "warehouse.duckdb").unlink()
    found = shop("validate")
    assert found.code == 1
    assert found.err.count("no database file") == 1
    assert found.out.split() == ["failed", "users", "failed", "clicks"]


def test_a_missing_table_is_the_matter_of_its_mapping_alone(shop: Shop) -> None:
    shop.sql("drop table users")
    found = shop("validate")
    assert found.code == 1
    assert [line.split()[:2] for line in found.out.splitlines()[:2]] == [
        ["failed", "users"],
        ["ok", "clicks"],
    ]
    assert found.err.startswith("mappings/users.yaml:3:8: source 'warehouse'")


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ("{table: gone, key: uid}", "source 'warehouse': Table with name gone"),
        ("{table: users, key: nix}", "'nix' is no column of users"),
    ],
)
def test_an_erasure_feed_that_cannot_be_read_does_not_validate(
    shop: Shop, feed: str, said: str
) -> None:
    shop.files.write("users.yaml", f"{USERS}deletes: {{erasures: {feed}}}\n")
    found = shop("validate", "--select", "users")
    assert found.code == 1
    assert f"erasure feed: {said}" in found.err
    assert found.err.startswith("mappings/users.yaml:")


def test_variables_of_a_target_matter_only_when_it_is_chosen(shop: Shop) -> None:
    assert shop("validate").code == 0
    other = shop("validate", "--target", "other")
    assert other.code == 1
    assert "NO_SUCH_KEY" in other.err
    assert "ok      users" in other.out


def test_warnings_are_warnings(shop: Shop) -> None:
    shop.files.write("users.yaml", USERS.replace("{uid: id,", "{uid: id, updated_at: now_at,"))
    shop.sql("alter table users add column now_at timestamp default timestamp '2026-03-01'")
    warned = shop("validate")
    assert warned.code == 0
    assert "mappings/users.yaml:4:" in warned.err
    assert "warning:" in warned.err


def test_status_of_a_project_that_never_ran_says_so_and_makes_nothing(shop: Shop) -> None:
    status = shop("status")
    assert status.code == 0
    assert status.out.startswith("Nothing was synced to target 'local' yet")
    assert shop("status", "--json").mapping("users")["last_run"] is None
    assert not (shop.folder / ".connector").exists()


def test_status_tells_what_the_last_run_did_and_needs_no_key(shop: Shop) -> None:
    shop("sync")
    shop.sql("update users set country = 'SE' where orders = 3")
    shop("sync")
    assert "done" in shop("status").out
    users = shop("status", "--json").mapping("users")
    assert users["last_run"]["status"] == "done"
    assert users["last_run"]["changes"]["upsert"]["acknowledged"] == 1
    assert users["last_run"]["finished_at"].endswith("Z")
    assert users["last_success"] == users["last_run"]["finished_at"]
    assert users["running"] is None
    assert shop("status", "--target", "other").code == 0
    assert shop("status", "--target", "none").code == 2


def test_compile_prints_sql_that_is_readable(shop: Shop) -> None:
    compiled = shop("compile", "users")
    assert compiled.code == 0
    assert compiled.out.startswith("WITH evaluated AS (")
    assert shop("compile", "usrs").err.splitlines()[1] == "hint: did you mean 'users'?"


@pytest.mark.parametrize("command", ["plan", "sync"])
def test_an_unknown_mapping_is_wrong_usage(shop: Shop, command: str) -> None:
    outcome = shop(command, "--select", "usrs", "--json")
    assert outcome.code == 2
    assert outcome.json["error"]["hint"] == "did you mean 'users'?"
