"""The sandbox's reading of the documented field rules."""

import pytest

from connector.sandbox.rules import (
    FieldError,
    Refusal,
    Resource,
    check_event,
    check_user,
    dump,
    is_time,
    load,
)

EVENT = {"type": "scroll", "original_timestamp": "2025-07-14T09:15:22.401Z", "uid": "u"}


def accept(resource: Resource, record: dict) -> dict:
    fresh: dict[str, str] = {}
    resource.check(record, fresh)
    resource.known.update(fresh)
    return fresh


def accept_user(user: dict) -> None:
    check_user(user)
    accept(Resource.users(), user)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("plain", "string"),
        ("2025-07-14", "string"),
        ("2025-07-14T09:15:22.401Z", "time"),
        (3, "number"),
        (3.5, "number"),
        (True, "boolean"),
        (["a", "b"], "array<string>"),
        ([0.1, 2], "embedding"),
        ({"platform": "ios"}, "object"),
    ],
)
def test_the_first_value_gives_a_field_its_type(value, kind):
    assert accept(Resource.events(), {"custom": value}) == {"custom": kind}


@pytest.mark.parametrize("nothing", [None, []])
def test_a_null_and_an_empty_array_give_no_type(nothing):
    assert accept(Resource.events(), {"custom": nothing}) == {}


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("text", 1),
        (1, "text"),
        (1, True),
        (True, 1),
        (["a"], [1.0]),
        ("2025-07-14T09:15:22Z", "yesterday"),
        ("text", ["text"]),
        ({"a": 1}, "text"),
    ],
)
def test_a_later_value_of_another_type_is_refused_by_name(first, later):
    events = Resource.events()
    accept(events, {"custom": first})
    with pytest.raises(FieldError, match="since its first value") as refused:
        accept(events, {"custom": later})
    assert refused.value.field == "custom"


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("text", "2025-07-14T09:15:22Z"),
        ("2025-07-14T09:15:22Z", 1752484522401),
        (["a"], []),
        ([0.5], []),
        (1, 2.5),
        ("text", None),
    ],
)
def test_a_later_value_that_fits_the_type_is_taken(first, later):
    events = Resource.events()
    accept(events, {"custom": first})
    assert accept(events, {"custom": later}) == {}


@pytest.mark.parametrize(
    ("record", "field", "words"),
    [
        ({"bio": "é" * 8193}, "bio", "16 KB"),
        ({"tags": ["a", 1]}, "tags", "an array holds"),
        ({"tags": [True]}, "tags", "an array holds"),
        ({"vector": [0.5] * 1025}, "vector", "1024 dimensions"),
        ({"is_deleted": "no"}, "is_deleted", "type boolean"),
        ({"created_at": "yesterday"}, "created_at", "type time"),
        ({"created_at": 1e300}, "created_at", "type time"),
        ({"profile": {"a": 1}}, "profile", "events only"),
        ({"n": 10**400}, "n", "64-bit float"),
        ({"_table": None}, "_table", "platform's own"),
        ({"ingest_timestamp": 1}, "ingest_timestamp", "platform's own"),
    ],
)
def test_a_user_that_breaks_a_limit_is_refused_by_field(record, field, words):
    with pytest.raises(FieldError, match=words) as refused:
        accept_user({"uid": "u", **record})
    assert refused.value.field == field


def test_limits_themselves_are_within_the_limits():
    record = {"bio": "é" * 8192, "vector": [0.5] * 1024, "device": {"a": "x" * (4096 - 8)}}
    assert set(accept(Resource.events(), record)) == {"bio", "vector", "device"}
    with pytest.raises(FieldError, match="4 KB"):
        accept(Resource.events(), {"device": {"a": "x" * (4096 - 7)}})


@pytest.mark.parametrize(
    ("kind", "fields", "missing"),
    [
        ("page_view", {}, "page_type"),
        ("module_view", {}, "rank"),
        ("impression", {"item_id": "i"}, "rank"),
        ("impression", {"rank": 1}, "item_id"),
        ("click", {"item_id": "i"}, "click_type"),
        ("conversion", {"conversion_type": "purchase"}, "item_ids"),
        ("dwell_time", {"dwell_ms": None}, "dwell_ms"),
        ("scroll", {"original_timestamp": None}, "original_timestamp"),
        ("video_pause", {"uid": None}, "uid"),
        (None, {}, "type"),
        ("", {}, "type"),
        ("scroll", {"id": ""}, "id"),
    ],
)
def test_an_event_without_a_mandatory_field_is_refused_by_field(kind, fields, missing):
    with pytest.raises(FieldError) as refused:
        check_event({**EVENT, "type": kind, **fields})
    assert refused.value.field == missing


@pytest.mark.parametrize("who", ["uid", "sid", "cid"])
def test_one_of_uid_sid_and_cid_is_enough(who):
    event = {"type": "custom", "original_timestamp": 1752484522, who: "x"}
    check_event(event)
    accept(Resource.events(), event)


@pytest.mark.parametrize("rank", [1.5, "1", True])
def test_a_rank_is_an_integer(rank):
    with pytest.raises(FieldError, match="type integer"):
        accept(Resource.events(), {**EVENT, "rank": rank})


def test_an_integer_beyond_what_a_float_holds_exactly_is_kept_as_a_float_would():
    record = {"n": 2**53 + 1, "m": 2**53}
    accept(Resource.users(), record)
    assert record == {"n": float(2**53), "m": 2**53}
    assert isinstance(record["n"], float)
    assert isinstance(record["m"], int)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"n": NaN}', b'{"n": -Infinity}', b"\xff", b"[" * 100_000, b'{"a":1}x']
)
def test_what_is_no_json_is_malformed(body):
    with pytest.raises(Refusal) as refused:
        load(body)
    assert refused.value.status == 400


@pytest.mark.parametrize("body", [rb'{"bad": "\ud800"}', b'{"bad": 1e999}', b'{"bad": [1e999]}'])
def test_json_that_no_utf8_text_or_float_can_hold_is_refused_by_field(body):
    with pytest.raises(FieldError) as refused:
        dump({"uid": "u", **load(body)})
    assert refused.value.field == "bad"


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("2025-07-14T09:15:22.401Z", True),
        ("2025-07-14T09:15:22+02:00", True),
        ("2025-07-14T09:15", True),
        ("2025-07-14 09:15:22", False),
        ("2025-07-14T25:15:22", False),
        ("2025-07-14", False),
        ("NOT-A-DATE-T-AT-ALL", False),
    ],
)
def test_a_time_is_a_full_date_and_time_with_a_t(text, full):
    assert is_time(text) is full
