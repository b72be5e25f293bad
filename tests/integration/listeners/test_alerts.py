"""Alerts: what is posted, when, and that nothing of it can hurt a sync."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connector.sandbox import Sandbox
from tests.support.loopback import Answer, Loopback
from tests.support.road import USERS, Road, assert_clean

Listened = Callable[[str], Road]


def posted(room: Loopback) -> list[dict[str, Any]]:
    return [request.json() for request in room.received]


def alerts(url: str, more: str = "") -> str:
    return f'alerts: [{{webhook: "{url}"{more}}}]\n'


def break_it(road: Road) -> None:
    road.map("users", USERS.replace("country)", "contry)"))


def test_a_run_in_which_all_is_well_posts_nothing(listened: Listened) -> None:
    with Loopback() as room:
        road = listened(alerts(room.url))
        assert_clean(road.sync())
        assert_clean(road.sync())
        assert posted(room) == []


def test_a_failure_is_posted_with_every_run_and_its_end_once(listened: Listened) -> None:
    with Loopback() as room:
        road = listened(alerts(room.url))
        break_it(road)
        report = road.sync()
        assert (report.exit_code, report.warnings) == (1, [])
        road.sync()
        road.map("users", USERS)
        road.sync()
        road.sync()
        first, second, last = posted(room)
    assert first["run_id"] == report.run_id
    assert (first["command"], first["target"]) == ("sync", "far")
    (event,) = first["events"]
    assert (event["event"], event["mapping"], event["status"]) == ("failed", "users", "failed")
    assert "'contry' is no column" in event["error"]
    assert first["text"].startswith("sync to far: users failed: ")
    assert [each["event"] for each in second["events"]] == ["failed"]
    assert [each["event"] for each in last["events"]] == ["recovered"]
    assert last["text"] == "sync to far: users is well again"
    assert room.received[0].headers["content-type"] == "application/json"


def test_an_outage_leaves_rows_pending_and_says_how_many(listened: Listened, far: Sandbox) -> None:
    with Loopback() as room:
        road = listened(alerts(room.url))
        far.set_faults({"e503": 1.0})
        target = road.project().target()
        road.sync(target=replace(target, give_up_after=0.5))
        far.set_faults({})
        assert_clean(road.sync())
        during, after = posted(room)
    assert {each["event"] for each in during["events"]} == {"incomplete"}
    assert during["events"][0]["pending"] == 20
    assert "the next sync sends what is pending" in during["text"]
    assert {each["event"] for each in after["events"]} == {"recovered"}


def test_a_guard_is_posted_without_the_keys_it_names(listened: Listened) -> None:
    with Loopback() as room:
        road = listened(alerts(room.url))
        assert_clean(road.sync())
        road.write("delete from users where orders > 5")
        assert road.sync().exit_code == 5
        (body,) = posted(room)
    assert [each["event"] for each in body["events"]] == ["blocked"]
    assert "u19" not in json.dumps(body)


def test_too_many_rejects_are_posted(listened: Listened) -> None:
    with Loopback() as room:
        road = listened(alerts(room.url))
        road.write("update users set user_id = '..' where orders = 3")
        assert road.sync().exit_code == 3
        (body,) = posted(room)
    (event,) = body["events"]
    assert (event["event"], event["rejected"]) == ("rejects", 1)


def test_only_what_is_wanted_is_posted(listened: Listened) -> None:
    with Loopback() as room:
        road = listened(alerts(room.url, ", on: [recovered, blocked]"))
        break_it(road)
        road.sync()
        assert posted(room) == []
        road.map("users", USERS)
        road.sync()
        assert [each["event"] for each in posted(room)[0]["events"]] == ["recovered"]


def test_trouble_that_goes_on_can_be_posted_less_often(listened: Listened) -> None:
    with Loopback() as room:
        road = listened(alerts(room.url, ", repeat: 1h"))
        break_it(road)
        for _ in range(3):
            road.sync()
        assert len(posted(room)) == 1

    with Loopback() as room:
        road = listened(alerts(room.url, ", repeat: 1s"))
        time.sleep(1.1)
        road.sync()
        assert len(posted(room)) == 1


def test_a_template_makes_the_payload_and_cannot_be_broken_out_of(listened: Listened) -> None:
    template = (
        """, template: {channel: "#data", attachments: [{"""
        """title: "{{ events | length }} of {{ target }}", body: "{{ events[0].error }}"}], n: 3}"""
    )
    with Loopback() as room:
        road = listened(alerts(room.url, template))
        break_it(road)
        road.sync()
        (body,) = posted(room)
    assert body["channel"] == "#data"
    assert body["n"] == 3
    assert body["attachments"][0]["title"] == "1 of far"
    assert "'contry' is no column" in body["attachments"][0]["body"]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ nobody_knows_this }}", "nobody_knows_this"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ 1 / 0 }}", "division by zero"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_a_warning(
    listened: Listened, template: str, said: str
) -> None:
    with Loopback() as room:
        road = listened(alerts(room.url, f', template: {{a: "{template}"}}'))
        break_it(road)
        (warning,) = road.sync().warnings
        assert said in warning
        assert posted(room) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(500), "HTTP 500"),
        (Answer(302, headers={"Location": "http://127.0.0.1:1/"}), "HTTP 302"),
        (Answer(raw=b"", close=True), "no answer"),
        (Answer(delay=5), "no answer"),
    ],
)
def test_a_webhook_that_does_not_take_it_is_a_warning_without_its_address(
    listened: Listened, answer: Answer, said: str
) -> None:
    with Loopback(lambda _: answer) as room:
        url = f"{room.url}/secret-path"
        road = listened(alerts(url, ", timeout: 2"))
        break_it(road)
        report = road.sync("users")
    (warning,) = report.warnings
    assert said in warning
    assert "secret-path" not in json.dumps(report.to_json())
    assert len(room.received) <= 1


def test_one_room_that_is_gone_does_not_keep_the_others_from_hearing(listened: Listened) -> None:
    with Loopback() as room:
        gone = "http://127.0.0.1:9/gone"
        road = listened(f'alerts: [{{webhook: "{gone}"}}, {{webhook: "{room.url}"}}]\n')
        break_it(road)
        (warning,) = road.sync().warnings
        assert warning.startswith("alerts: alert 1 could not be posted")
        assert len(posted(room)) == 1


def test_secrets_are_covered(listened: Listened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "very-secret-thing")
    with Loopback() as room:
        road = listened(alerts(room.url, ', template: {a: "very-secret-thing {{ target }}"}'))
        break_it(road)
        road.sync()
        assert posted(room) == [{"a": "*** far"}]


def test_a_key_that_is_the_name_of_its_target_does_not_cover_the_name(listened: Listened) -> None:
    with Loopback() as room:
        road = listened(alerts(room.url))
        file = road.folder / "mappings" / "project.yaml"
        file.write_text(file.read_text().replace("  far: {", "  sandbox: {"))
        break_it(road)
        road.sync("users")
        (document,) = posted(room)
    assert document["target"] == "sandbox"
    assert document["text"].startswith("sync to sandbox: users failed: ")


def test_a_variable_that_is_not_set_is_a_warning_when_there_is_something_to_post(
    listened: Listened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_HOOK", raising=False)
    road = listened(alerts("${NO_SUCH_HOOK}"))
    break_it(road)
    report = road.sync()
    assert "NO_SUCH_HOOK is not set" in report.warnings[0]
    road.map("users", USERS)
    assert road.sync().exit_code == 0


def test_a_proxy_of_the_environment_is_not_used(
    listened: Listened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    with Loopback() as room:
        road = listened(alerts(room.url))
        break_it(road)
        assert road.sync().warnings == []
        assert len(posted(room)) == 1
