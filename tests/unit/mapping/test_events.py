"""Events: what each type must have, fields of one type alone, ids that follow from the row."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.support.scanned import Scanned
from tests.unit.mapping.conftest import Desk

STANDARD = {
    "page_view": {"page_type": "home"},
    "module_view": {"rank": 1},
    "impression": {"item_id": "i", "rank": 1},
    "click": {"item_id": "i", "click_type": "add"},
    "conversion": {"conversion_type": "buy", "item_ids": ["i"]},
    "dwell_time": {"dwell_ms": 5.5},
    "scroll": {},
    "wishlist": {},
}
"""What is mandatory for each type: those of the API's documents, and one that is nobody's."""

ALL = """
id: k
original_timestamp: at
sid: sid
page_type: page_type
rank: rank
item_id: item_id
item_ids: item_ids
click_type: click_type
conversion_type: conversion_type
dwell_ms: dwell_ms
"""


def test_each_standard_type_must_have_its_mandatory_fields(desk: Desk) -> None:
    values = {
        "page_type": "'home'", "rank": "1", "item_id": "'i'", "item_ids": "['i']",
        "click_type": "'add'", "conversion_type": "'buy'", "dwell_ms": "5.5::DOUBLE",
    }  # fmt: skip
    rows, expected = [], {}
    for event_type, mandatory in STANDARD.items():
        for missing in [None, *mandatory]:
            key = f"{event_type} without {missing}"
            given = [
                sql if n in mandatory and n != missing else "NULL" for n, sql in values.items()
            ]
            rows.append(f"('{key}', '{event_type}', {', '.join(given)})")
            expected[key] = ("missing_field", missing) if missing else (None, None)
    desk.table(
        f"SELECT *, TIMESTAMP '2024-01-02' AS at, 's' AS sid FROM (VALUES {', '.join(rows)}) "  # noqa: S608 - ours
        f"v(k, t, {', '.join(values)})"
    )
    found = desk.events(ALL, "type: {expr: t}")
    assert {row.key: (row.code, row.field) for row in found} == expected
    whole = {row.key: row.payload for row in found if row.payload}
    for event_type, mandatory in STANDARD.items():
        assert whole[f"{event_type} without None"] == {
            "id": f"{event_type} without None", "type": event_type, "sid": "s",
            "original_timestamp": "2024-01-02T00:00:00.000Z", **mandatory,
        }  # fmt: skip


def test_every_event_needs_a_type_a_time_and_somebody(desk: Desk) -> None:
    desk.table("""SELECT * FROM (VALUES
        ('none', 'x', TIMESTAMP '2024-01-02', NULL, NULL, NULL),
        ('uid', 'x', TIMESTAMP '2024-01-02', 'u', NULL, NULL),
        ('sid', 'x', TIMESTAMP '2024-01-02', NULL, 's', NULL),
        ('cid', 'x', TIMESTAMP '2024-01-02', NULL, NULL, 'c'),
        ('timeless', 'x', NULL, 'u', NULL, NULL),
        ('typeless', NULL, TIMESTAMP '2024-01-02', 'u', NULL, NULL)) v(k, t, moment, u, s, c)""")
    found = desk.events(
        "id: k\noriginal_timestamp: moment\nuid: u\nsid: s\ncid: c", "type: {expr: t}"
    )
    assert {row.key: (row.code, row.field) for row in found} == {
        "none": ("no_identity", "uid"), "uid": (None, None), "sid": (None, None),
        "cid": (None, None), "timeless": ("missing_field", "original_timestamp"),
        "typeless": ("missing_field", "type"),
    }  # fmt: skip


def test_a_type_has_fields_of_its_own_and_a_filter(desk: Desk) -> None:
    desk.table("""SELECT * FROM (VALUES
        ('c1', 'click', 'add', 'seven'), ('c2', 'click', NULL, '1'), ('C1', 'Click', 'x', '2'),
        ('i1', 'impression', 'ignored', '3'), ('i2', 'impression', 'ignored', 'x'),
        ('w1', 'wishlist', 'ignored', 'x')) v(k, t, what, pos)""")
    found = {
        row.key: row
        for row in desk.events(
            """
            id: k
            original_timestamp: {value: "2024-01-02"}
            sid: {value: s}
            item_id: {value: i}
            """,
            """
            type: {expr: t}
            types:
              click: {fields: {click_type: what}, filter: what is not null}
              Click: {fields: {click_type: "upper(what)"}, filter: "what <> 'x'"}
              impression: {fields: {rank: {expr: pos, type: number}}}
            """,
        )
    }
    same = {
        "original_timestamp": "2024-01-02T00:00:00.000Z", "sid": "s", "item_id": "i",
    }  # fmt: skip
    assert found["c1"].payload == {"id": "c1", "type": "click", "click_type": "add", **same}
    assert found["i1"].payload == {"id": "i1", "type": "impression", "rank": 3, **same}
    assert (found["i2"].code, found["i2"].field) == ("not_a_number", "rank")
    assert found["w1"].payload == {"id": "w1", "type": "wishlist", **same}
    skipped = {key for key, row in found.items() if row.verdict == 3}
    assert skipped == {"c2", "C1"}


ROW = """SELECT TIMESTAMP '2024-01-02 03:04:05.678' AS at, 'u1' AS u, 'it''s é' AS note, 7 AS n,
    NULL AS nil"""
FIELDS = ["original_timestamp: at", "uid: u", "note: note", "count: n", "nil: nil::VARCHAR",
          "plan: {value: gold}"]  # fmt: skip
DERIVED = "c_c97effef9a36d43e35f1eb9be70adcf5"


def _event(desk: Desk, fields: list[str]) -> Scanned:
    (row,) = desk.events("\n".join(fields))
    return row


def test_a_derived_id_is_the_digest_of_what_is_sent_and_never_changes(desk: Desk) -> None:
    desk.table(ROW)
    sent = (
        '{"type":"test","original_timestamp":"2024-01-02T03:04:05.678Z","count":7,'
        '"note":"it\'s é","plan":"gold","uid":"u1"}'
    )
    row = _event(desk, FIELDS)
    assert row.key == DERIVED == "c_" + hashlib.md5(sent.encode()).hexdigest()  # noqa: S324
    assert row.payload == {"id": DERIVED} | json.loads(sent)


def test_ids_and_fingerprints_do_not_depend_on_the_order_of_fields(desk: Desk) -> None:
    desk.table(ROW)
    first, second = _event(desk, FIELDS), _event(desk, FIELDS[::-1])
    assert (first.key, first.fingerprint) == (second.key, second.fingerprint)


@pytest.mark.parametrize("given", ["nil: nil::VARCHAR", "nothing: nil::INTEGER"])
def test_a_field_without_a_value_does_not_change_a_derived_id(desk: Desk, given: str) -> None:
    desk.table(ROW)
    assert _event(desk, [*FIELDS[:4], given, *FIELDS[5:]]).key == DERIVED


def test_the_same_row_has_the_same_id_and_another_has_another(desk: Desk) -> None:
    desk.table(f"{ROW} UNION ALL {ROW} UNION ALL SELECT * REPLACE (8 AS n) FROM ({ROW})")  # noqa: S608 - ours
    first, second, third = desk.events("\n".join(FIELDS))
    assert first.key == second.key == DERIVED
    assert third.key not in {None, DERIVED}


def test_users_send_nulls_and_events_leave_them_out(desk: Desk) -> None:
    desk.table("SELECT 'k' AS k, NULL::VARCHAR AS a, NULL::VARCHAR[] AS b, NULL::TIMESTAMP AS c")
    fields = "a: a\nb: b\nc: c\n"
    (user,) = desk.users("uid: k\n" + fields)
    assert user.payload == {"uid": "k", "a": None, "b": None, "c": None, "is_deleted": False}
    event = "id: k\nsid: k\noriginal_timestamp: {value: '2024-01-02'}\n" + fields
    (row,) = desk.events(event)
    assert row.payload is not None
    assert row.payload.keys() == {"id", "sid", "type", "original_timestamp"}
