"""The documented API, over the wire."""

import json
import re
from urllib.parse import quote

import pytest

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_user_is_stored_with_the_automatic_fields(api):
    assert api.user(uid="u", country="DE", note=None).status == 200
    stored = api.handle.user("u")
    assert STAMP.fullmatch(stored.pop("created_at"))
    assert STAMP.fullmatch(stored.pop("updated_at"))
    assert stored == {
        "uid": "u",
        "country": "DE",
        "note": None,
        "is_deleted": False,
        "_table": "users",
    }


def test_an_upsert_merges_and_a_null_clears(api):
    api.user(uid="u", country="DE", tier="gold", created_at="2020-01-01T00:00:00Z")
    api.user(uid="u", tier=None, is_deleted=True)
    api.user(uid="u", language="de")
    stored = api.handle.user("u")
    assert (stored["country"], stored["tier"], stored["language"]) == ("DE", None, "de")
    assert stored["created_at"] == "2020-01-01T00:00:00Z"
    assert stored["is_deleted"] is True


def test_an_upsert_can_replace_and_keeps_when_it_was_created(start):
    api = start(upsert="replace")
    api.user(uid="u", country="DE", created_at="2020-01-01T00:00:00Z", is_deleted=True)
    api.user(uid="u", tier="gold")
    stored = api.handle.user("u")
    assert "country" not in stored
    assert stored["created_at"] == "2020-01-01T00:00:00Z"
    assert stored["is_deleted"] is False


@pytest.mark.parametrize(
    "uid", ["a/b", "a%2Fb", "a?b", "a#b", "a\\b", "ü", "🦊", "a b", "a+b", "%", "u\n", "../up"]
)
def test_a_user_is_deleted_by_its_uid_as_one_encoded_segment(api, click, uid):
    api.user(uid=uid)
    api.user(uid="a")
    api.events(click(id="1", uid=uid), click(id="2", uid="a"))
    assert api.handle.user(uid)["uid"] == uid
    assert api("DELETE", f"/v1/users/{quote(uid, safe='')}").status == 204
    assert api.handle.user(uid) is None
    assert api.handle.event("1") is None
    assert api.handle.event("2") is not None
    assert api("DELETE", f"/v1/users/{quote(uid, safe='')}").status == 404
    counts = api.handle.counts()
    assert (counts["users"], counts["deleted_users"], counts["deleted_events"]) == (1, 1, 1)


def test_a_raw_slash_addresses_nothing(api):
    api.user(uid="a/b")
    assert api("DELETE", "/v1/users/a/b").status == 404
    assert api("DELETE", "/v1/users/").status == 404
    assert api("DELETE", "/v1/users/%ff").status == 400
    assert api.handle.user("a/b") is not None


def test_an_event_alone_and_in_a_batch_is_stored_with_what_the_platform_adds(api, click):
    answer = api("POST", "/v1/events", click(device={"os": "ios"}))
    generated = answer.json["id"]
    assert api.events(click(id="e2"), click(id="e3")).json == {"accepted": 2}
    stored = api.handle.event(generated)
    assert STAMP.fullmatch(stored.pop("ingest_timestamp"))
    assert stored == click(id=generated, device={"os": "ios"})
    assert api.handle.counts()["events_by_type"] == {"click": 3}


def test_a_bad_event_refuses_its_whole_batch_by_index_and_field(api, click):
    batch = [click(id=str(n)) for n in range(30)]
    del batch[17]["click_type"]
    answer = api.events(*batch)
    assert answer.status == 422
    assert answer.json["code"] == "validation_failed"
    assert answer.message.startswith("events[17].click_type: ")
    assert api.handle.counts()["events"] == 0


def test_types_of_a_refused_batch_are_forgotten(api, click):
    assert api.events(click(size="L"), click(size=3)).status == 422
    assert api.events(click(size=3)).status == 200
    answer = api.events(click(size="L"))
    assert answer.message.startswith("events[0].size: is of type number")


def test_users_and_events_have_types_of_their_own(api, click):
    assert api.user(uid="u", size="L").status == 200
    assert api.events(click(size=3)).status == 200
    assert api.user(uid="u", size=3).status == 422


def test_a_repeated_event_is_stored_once_and_counted(api, click):
    api.events(click(id="1"), click(id="1"), click(id="2"))
    api.events(click(id="2", item_id="other"))
    counts = api.handle.counts()
    assert (counts["events"], counts["repeats"], counts["conflicting_repeats"]) == (2, 2, 1)
    assert api.handle.event("2")["item_id"] == "sku"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic sandbox"}, 401),
        ({"Authorization": "", "X-API-Key": "wrong"}, 401),
        ({"Authorization": "", "X-API-Key": "sandbox"}, 200),
        ({"Authorization": "bearer sandbox"}, 200),
        ({"Authorization": "Bearer reader"}, 403),
        ({"Authorization": "", "X-API-Key": "reader"}, 403),
    ],
)
def test_a_key_opens_what_it_may(start, headers, status):
    api = start(read_only_key="reader")
    assert api("POST", "/v1/users", {"uid": "u"}, headers=headers).status == status
    answer = api("POST", "/v1/recommend", RECOMMEND, headers=headers)
    assert answer.status == (200 if status == 403 else status)


RECOMMEND = {"user_id": "u", "item_ids": ["a", "b"], "model_id": "test_model_item_200"}


@pytest.mark.parametrize("status", [200, 400, 429, 503])
def test_the_mock_models_answer_over_the_wire(api, status):
    request = {**RECOMMEND, "model_id": f"test_model_item_{status}"}
    answer = api("POST", "/v1/recommend", request)
    assert answer.status == status
    assert ("items" in answer.json) == (status == 200)
    assert ("Retry-After" in answer.headers) == (status == 429)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("POST", "/v2/users", 404),
        ("GET", "/v1/users", 405),
        ("GET", "/v1/users/u", 405),
        ("PUT", "/v1/events", 405),
    ],
)
def test_what_is_not_documented_is_not_there(api, method, path, status):
    answer = api(method, path)
    assert answer.status == status
    assert set(answer.json) == {"code", "message"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"uid": "u", "n": NaN}', "NaN"),
        (b'{"uid": "u", "n": Infinity}', "Infinity"),
        (b'["u"]', "JSON object"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_malformed_body_answers_400(api, body, words):
    answer = api("POST", "/v1/users", raw=body)
    assert answer.status == 400
    assert words in answer.message


def test_a_body_must_say_that_it_is_json(api):
    for kind in ("text/plain", ""):
        assert api("POST", "/v1/users", raw=b"{}", headers={"Content-Type": kind}).status == 400
    kind = "application/json; charset=utf-8"
    answer = api("POST", "/v1/users", {"uid": "u"}, headers={"Content-Type": kind})
    assert answer.status == 200


@pytest.mark.parametrize("user", [{}, {"uid": ""}, {"uid": 7}, {"uid": None}, {"uid": "u\ud800"}])
def test_a_user_needs_a_uid_that_is_text(api, user):
    answer = api("POST", "/v1/users", user)
    assert answer.status == 422
    assert answer.message.startswith("uid: ")


@pytest.mark.parametrize(
    "batch", [{"events": []}, {"events": {}}, {"events": ["x"]}, {"events": [{}], "more": 1}]
)
def test_a_batch_is_an_array_of_events_and_nothing_else(api, batch):
    assert api("POST", "/v1/events", batch).status == 422


def test_limits_of_a_batch_answer_413(start, click):
    api = start(max_batch=2, max_bytes=1000)
    assert api.events(click(), click()).status == 200
    assert api.events(click(), click(), click()).status == 413
    assert api.user(uid="u", text="x" * 1000).status == 413
    assert api.handle.counts()["events"] == 2


def test_extreme_values_arrive_as_they_were(api):
    user = {
        "uid": "u",
        "quote\"'\n\t\\": "quotes \" ' and\nnewlines \u2028 \x00 \x7f",
        "emoji": "👩‍👩‍👧🏳️‍🌈",
        "small": 5e-324,
        "large": 1.7976931348623157e308,
        "exact": 2**53,
        "tags": ["", "ü", "\\"],
        "vector": [0, -0.5, 1e-7],
    }
    assert api.user(**user).status == 200
    assert user.items() <= api.handle.user("u").items()


def test_exports_hold_every_stored_object_in_order(api, click):
    for uid in ("b", "a", "Z", "ü"):
        api.user(uid=uid)
    api.events(*(click(id=f"{n:04}") for n in reversed(range(900))))
    api.events(*(click(id=f"{n:04}") for n in reversed(range(900, 1500))))
    assert [user["uid"] for user in api.handle.users()] == ["Z", "a", "b", "ü"]
    events = list(api.handle.events())
    assert [event["id"] for event in events] == [f"{n:04}" for n in range(1500)]
    assert events[7] == api.handle.event("0007")
    lines = api("GET", "/_sandbox/export/users").body.decode().splitlines()
    assert [json.loads(line) for line in lines] == list(api.handle.users())
