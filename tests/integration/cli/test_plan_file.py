"""`plan --out FILE`, then `sync --plan FILE`: exactly that, or nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.support.shop import CLICKS, USERS, Shop

FILE = "night.plan"
DELETES = """\
deletes:
  hard_when: orders < 0
  erasures: {table: asked, key: id}
"""


@pytest.fixture
def changed(shop: Shop) -> Shop:
    """A shop that was synced, with an upsert, a soft delete, a hard delete and events to come."""
    shop.sql("create table asked (id varchar)")
    shop.files.write("users.yaml", USERS + DELETES)
    assert shop("sync").code == 0
    shop.sql(
        "update users set country = 'SE' where id = 'u_3'",
        "update users set orders = -1 where id = 'u_4'",
        "delete from users where id = 'u_5'",
        "insert into clicks select * replace ('new_' || id as id) from clicks",
    )
    return shop


def sent(shop: Shop) -> dict[str, int]:
    return dict(shop.sandbox.counts()["requests"])


def test_a_plan_is_followed_to_the_letter(changed: Shop) -> None:
    planned = changed("plan", "--out", FILE, "--json").json
    assert planned["plan_file"] == FILE
    done = changed("sync", "--plan", FILE, "--json")
    assert done.code == 0, done.err
    for before, after in zip(planned["mappings"], done.json["mappings"], strict=True):
        counts = {name: each["planned"] for name, each in before["changes"].items()}
        assert counts == {name: each["acknowledged"] for name, each in after["changes"].items()}
    events = changed("plan", "--json").mapping("clicks")
    assert (events["rows"]["suppressed"], events["changes"]["event"]["planned"]) == (4, 0)
    assert changed("plan", "--detailed-exitcode").code == 0


def test_the_file_is_its_owners_and_holds_no_key_and_no_value(changed: Shop) -> None:
    assert f"`connector sync --plan {FILE}`" in changed("plan", "--out", FILE).out
    assert stat.S_IMODE(Path(FILE).stat().st_mode) == 0o600
    text = Path(FILE).read_text()
    assert not [word for word in ("u_3", "u_4", "u_5", "SE", "sku", "sandbox\n") if word in text]
    planned = json.loads(text)["mappings"]
    assert planned[0]["changes"] == {"upsert": 1, "soft_delete": 1, "hard_delete": 1, "event": 0}


ROWS = {
    "a value": "update users set country = 'DK' where id = 'u_3'",
    "another row of the same kind": "update users set country = "
    "case id when 'u_6' then 'SE' else 'NO' end where id in ('u_3', 'u_6')",
    "a row that breaks a rule": "insert into users values (null, 'NO', 1)",
}
MAPPINGS = {
    "a field": USERS.replace("country,", "lower(country),") + DELETES,
    "a delete rule": USERS + DELETES + "  missing: keep\n",
}


def refused(shop: Shop, words: str) -> None:
    before = sent(shop)
    outcome = shop("sync", "--plan", FILE)
    assert outcome.code == 5
    assert "the ground has moved since the plan of 20" in outcome.err
    assert words in outcome.err
    assert "`connector plan --out FILE`" in outcome.err
    assert sent(shop) == before


def test_nothing_is_sent_while_the_ground_has_moved_and_all_when_it_is_back(changed: Shop) -> None:
    assert changed("plan", "--out", FILE).code == 0
    changed.sql("create table was as from users")
    for change in ROWS.values():
        changed.sql(change)
        refused(changed, "rows of the source")
        changed.sql("create or replace table users as from was")
    changed.sql("update clicks set item = 'x' where id = 'new_c_1'")
    refused(changed, "'clicks': the ground has moved")
    changed.sql("update clicks set item = 'sku_1' where id = 'new_c_1'")
    for text in MAPPINGS.values():
        changed.files.write("users.yaml", text)
        refused(changed, "the mapping says something else")
    changed.files.write("users.yaml", USERS + DELETES)
    changed.sql("insert into asked values ('u_7')")
    refused(changed, "the feed of erasures lists other users")
    changed.sql("delete from asked")
    (changed.files.path / "clicks.yaml").unlink()
    refused(changed, "no mapping 'clicks' any more")
    changed.files.write("clicks.yaml", CLICKS)
    assert changed("sync", "--plan", FILE).code == 0
    assert changed("plan", "--detailed-exitcode").code == 0


def test_nothing_is_sent_once_the_state_has_moved_on(changed: Shop) -> None:
    changed("plan", "--out", FILE)
    assert changed("sync", "--limit", "1", "--select", "clicks").code == 4
    refused(changed, "the state moved on")
    changed("plan", "--out", FILE)
    assert changed("erase", "u_3", "--yes").code == 0
    refused(changed, "other users are suppressed")


def test_what_changes_nothing_about_it_is_no_reason_to_refuse(changed: Shop) -> None:
    assert changed("plan", "--out", FILE, "--select", "users").code == 0
    changed.files.write("users.yaml", f"# ours\n{USERS}{DELETES}schedule: '0 * * * *'\n")
    changed.sql("update clicks set item = 'y'")
    done = changed("sync", "--plan", FILE, "--json")
    assert (done.code, [each["name"] for each in done.json["mappings"]]) == (0, ["users"])
    assert done.mapping("users")["changes"]["upsert"]["acknowledged"] == 1


def test_the_refusal_is_in_the_document_and_in_the_record(changed: Shop) -> None:
    changed("plan", "--out", FILE)
    changed.sql("update users set country = 'DK' where id = 'u_3'")
    outcome = changed("sync", "--plan", FILE, "--json")
    users, clicks = outcome.json["mappings"]
    assert (users["status"], users["guard"]["name"]) == ("blocked", "plan")
    assert "nothing is sent, since it does not hold for 'users'" in clicks["error"]
    last = changed("status", "--json").mapping("users")["last_run"]
    assert (last["status"], last["run_id"]) == ("blocked", outcome.json["run_id"])


def test_a_plan_is_for_one_target_and_one_state(changed: Shop) -> None:
    changed("plan", "--out", FILE)
    project = changed.files.path / "project.yaml"
    text = project.read_text()
    changed.files.write("project.yaml", text.replace("${NO_SUCH_KEY}", "sandbox"))
    outcome = changed("sync", "--plan", FILE, "--target", "other")
    assert (outcome.code, "for target 'local', not 'other'" in outcome.err) == (5, True)
    changed.files.write("project.yaml", text.replace("/v1", "/v2"))
    outcome = changed("sync", "--plan", FILE)
    assert (outcome.code, "is at another address" in outcome.err) == (5, True)
    changed.files.write("project.yaml", text + "state: {path: elsewhere}\n")
    outcome = changed("sync", "--plan", FILE)
    assert (outcome.code, "made beside another state" in outcome.err) == (5, True)


def test_a_guard_keeps_a_plan_from_being_written_and_what_it_lets_through_stays_so(
    changed: Shop,
) -> None:
    changed.sql("delete from users where orders between 8 and 12")
    stopped = changed("plan", "--out", FILE, "--select", "users")
    assert (stopped.code, Path(FILE).exists()) == (5, False)
    assert f"{FILE} was not written" in stopped.err
    changed("plan", "--out", FILE, "--select", "users", "--allow-deletes", "7")
    assert changed("sync", "--plan", FILE).code == 0
    assert changed.sandbox.counts()["soft_deleted"] == 6


def test_a_full_refresh_is_planned_and_followed(shop: Shop) -> None:
    shop("sync")
    shop("plan", "--full-refresh", "--out", FILE, "--select", "users")
    followed = shop("sync", "--plan", FILE, "--json").mapping("users")
    assert followed["changes"]["upsert"]["acknowledged"] == 20


def test_what_is_no_plan_is_wrong_usage(shop: Shop) -> None:
    assert shop("sync", "--plan", FILE).code == 2
    for content in ("", "[]", "{}", '{"plan_format": 2}', '{"plan_format": 1}'):
        Path(FILE).write_text(content)
        outcome = shop("sync", "--plan", FILE)
        assert (outcome.code, FILE in outcome.err) == (2, True)


def test_a_plan_that_was_edited_is_not_followed(changed: Shop) -> None:
    changed("plan", "--out", FILE)
    text = Path(FILE).read_text()
    Path(FILE).write_text(text.replace('"allow_deletes": null', '"allow_deletes": 1000'))
    outcome = changed("sync", "--plan", FILE)
    assert (outcome.code, "changed since it was written" in outcome.err) == (5, True)


def test_a_plan_says_itself_what_is_synced_and_how(shop: Shop) -> None:
    for more in (("--full-refresh",), ("--limit", "1"), ("--select", "users"), ("--watch", "30s")):
        outcome = shop("sync", "--plan", FILE, *more)
        assert outcome.code == 2
        assert outcome.err.startswith("error: --")


def test_a_plan_is_written_whole_or_not_at_all(shop: Shop) -> None:
    outcome = shop("plan", "--out", "no/such/folder.plan")
    assert (outcome.code, "cannot be written" in outcome.err) == (1, True)
    shop.files.write("clicks.yaml", CLICKS.replace("table: clicks", "table: nothing"))
    assert shop("plan", "--out", FILE).code == 1
    assert not Path(FILE).exists()
