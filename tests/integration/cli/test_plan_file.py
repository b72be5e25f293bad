"""`plan --out FILE`, then `sync --plan FILE`: exactly that, or nothing."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
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


MOVED: dict[str, tuple[Callable[[Shop], object], str]] = {
    "a value": (
        lambda shop: shop.sql("update users set country = 'DK' where id = 'u_3'"),
        "rows of the source",
    ),
    "another row of the same kind": (
        lambda shop: shop.sql(
            "update users set country = 'NO' where id = 'u_3'",
            "update users set country = 'SE' where id = 'u_6'",
        ),
        "rows of the source",
    ),
    "a row that breaks a rule": (
        lambda shop: shop.sql("insert into users values (null, 'NO', 1)"),
        "rows of the source",
    ),
    "events": (
        lambda shop: shop.sql("update clicks set item = 'x' where id = 'new_c_1'"),
        "'clicks': the ground has moved",
    ),
    "the mapping": (
        lambda shop: shop.files.write("users.yaml", USERS.replace("country,", "lower(country),")),
        "the mapping says something else",
    ),
    "a delete rule": (
        lambda shop: shop.files.write("users.yaml", USERS + DELETES + "  missing: keep\n"),
        "the mapping says something else",
    ),
    "a sync": (lambda shop: shop("sync", "--limit", "1"), "the state moved on"),
    "an erasure": (lambda shop: shop("erase", "u_3", "--yes"), "other users are suppressed"),
    "the feed": (
        lambda shop: shop.sql("insert into asked values ('u_7')"),
        "the feed of erasures lists other users",
    ),
    "a mapping gone": (
        lambda shop: (shop.files.path / "clicks.yaml").unlink(),
        "no mapping 'clicks' any more",
    ),
}


@pytest.mark.parametrize(("move", "words"), MOVED.values(), ids=MOVED)
def test_nothing_is_sent_where_the_ground_has_moved(
    changed: Shop, move: Callable[[Shop], object], words: str
) -> None:
    assert changed("plan", "--out", FILE).code == 0
    move(changed)
    before = sent(changed)
    refused = changed("sync", "--plan", FILE)
    assert refused.code == 5
    assert "the ground has moved since the plan of 20" in refused.err
    assert words in refused.err
    assert "`connector plan --out FILE`" in refused.err
    assert sent(changed) == before


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
    refused = changed("sync", "--plan", FILE, "--json")
    users, clicks = refused.json["mappings"]
    assert (users["status"], users["guard"]["name"]) == ("blocked", "plan")
    assert "nothing is sent, since it does not hold for 'users'" in clicks["error"]
    last = changed("status", "--json").mapping("users")["last_run"]
    assert (last["status"], last["run_id"]) == ("blocked", refused.json["run_id"])


def test_a_plan_is_for_one_target_and_one_state(changed: Shop) -> None:
    changed("plan", "--out", FILE)
    project = changed.files.path / "project.yaml"
    text = project.read_text()
    changed.files.write("project.yaml", text.replace("${NO_SUCH_KEY}", "sandbox"))
    refused = changed("sync", "--plan", FILE, "--target", "other")
    assert (refused.code, "for target 'local', not 'other'" in refused.err) == (5, True)
    changed.files.write("project.yaml", text.replace("/v1", "/v2"))
    refused = changed("sync", "--plan", FILE)
    assert (refused.code, "is at another address" in refused.err) == (5, True)
    changed.files.write("project.yaml", text + "state: {path: elsewhere}\n")
    refused = changed("sync", "--plan", FILE)
    assert (refused.code, "made beside another state" in refused.err) == (5, True)


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


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, 2),
        ("", 2),
        ("[]", 2),
        ("{}", 2),
        ('{"plan_format": 2}', 2),
        ('{"plan_format": 1}', 2),
    ],
)
def test_what_is_no_plan_is_wrong_usage(shop: Shop, content: str | None, code: int) -> None:
    if content is not None:
        Path(FILE).write_text(content)
    refused = shop("sync", "--plan", FILE)
    assert (refused.code, FILE in refused.err) == (code, True)


def test_a_plan_that_was_edited_is_not_followed(changed: Shop) -> None:
    changed("plan", "--out", FILE)
    text = Path(FILE).read_text()
    Path(FILE).write_text(text.replace('"allow_deletes": null', '"allow_deletes": 1000'))
    refused = changed("sync", "--plan", FILE)
    assert (refused.code, "changed since it was written" in refused.err) == (5, True)


@pytest.mark.parametrize(
    "more", [("--full-refresh",), ("--limit", "1"), ("--select", "users"), ("--watch", "30s")]
)
def test_a_plan_says_itself_what_is_synced_and_how(shop: Shop, more: tuple[str, ...]) -> None:
    refused = shop("sync", "--plan", FILE, *more)
    assert refused.code == 2
    assert refused.err.startswith("error: --")


def test_a_plan_is_written_whole_or_not_at_all(shop: Shop) -> None:
    refused = shop("plan", "--out", "no/such/folder.plan")
    assert (refused.code, "cannot be written" in refused.err) == (1, True)
    shop.files.write("clicks.yaml", CLICKS.replace("table: clicks", "table: nothing"))
    assert shop("plan", "--out", FILE).code == 1
    assert not Path(FILE).exists()
