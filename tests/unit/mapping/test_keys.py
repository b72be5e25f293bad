"""Keys: what could never be addressed, and so never be erased, is never sent."""

from __future__ import annotations

import json

import pytest

from tests.unit.mapping.conftest import Desk

UNUSABLE = {
    "NULL": "key_null",
    "''": "unaddressable_key",
    "'.'": "unaddressable_key",
    "'..'": "unaddressable_key",
    "'a' || chr(0) || 'b'": "unaddressable_key",
    "'a' || chr(10)": "unaddressable_key",
    "'a' || chr(127)": "unaddressable_key",
    "'a' || chr(133)": "unaddressable_key",
    "repeat('k', 16385)": "too_long",
}

USABLE = ["...", " ", "a/b?c#d%2F", "Ünï👋", "k" * 16384]


@pytest.mark.parametrize(
    "fields", ["uid: k", "id: k\nsid: {value: s}\noriginal_timestamp: {value: 2024-01-01}"]
)
def test_an_unusable_key_is_refused(desk: Desk, fields: str) -> None:
    desk.table(f"SELECT unnest([{', '.join(UNUSABLE)}]) AS k")
    found = desk.users(fields) if fields == "uid: k" else desk.events(fields)
    key = fields.partition(":")[0]
    assert [(row.key, row.code, row.field) for row in found] == [
        (None, code, key) for code in UNUSABLE.values()
    ]


def test_whatever_else_is_text_is_a_key(desk: Desk) -> None:
    desk.table(f"SELECT unnest({USABLE}) AS k")
    found = desk.users("uid: k")
    assert [row.payload for row in found] == [{"uid": k, "is_deleted": False} for k in USABLE]
    assert [row.key for row in found] == USABLE


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        ("-5::TINYINT", "-5"),
        (f"{2**127 - 1}::HUGEINT", str(2**127 - 1)),
        ("5::DECIMAL(38,0)", "5"),
        ("UUID '6ba7b810-9dad-11d1-80b4-00c04fd430c8'", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("'gold'::ENUM('gold')", "gold"),
    ],
)
def test_a_key_that_is_no_text_is_spelled_out(desk: Desk, key: str, sent: str) -> None:
    desk.table(f"SELECT {key} AS k")
    (row,) = desk.users("uid: k")
    assert row.key == sent
    assert row.payload == {"uid": sent, "is_deleted": False}


@pytest.mark.parametrize(
    "keys",
    [
        {
            "1.5::DOUBLE": "DOUBLE",
            "1::FLOAT": "FLOAT",
            "1.50::DECIMAL(10,2)": "DECIMAL(10,2)",
            "true": "BOOLEAN",
        },
        {
            "DATE '2024-01-01'": "DATE",
            "TIMESTAMP '2024-01-01'": "TIMESTAMP",
            "TIMESTAMPTZ '2024-01-01 00:00:00+00'": "TIMESTAMP WITH TIME ZONE",
            "INTERVAL 1 DAY": "INTERVAL",
        },
        {
            "'{}'::JSON": "JSON",
            "TIME '01:00'": "TIME",
            "5::BIGNUM::VARCHAR || ''": "VARCHAR",
            "1.0::DECIMAL(4,1)": "DECIMAL(4,1)",
        },
    ],
)
def test_what_reads_differently_from_day_to_day_is_no_key(desk: Desk, keys: dict[str, str]) -> None:
    names = ("id", "uid", "sid", "cid")
    pairs = list(zip(names, keys.items(), strict=True))
    desk.table("SELECT " + ", ".join(f"{sql} AS {name}" for name, (sql, _) in pairs))
    fields = {name: name for name in names} | {"original_timestamp": {"value": "2024-01-01"}}
    mapping = {"kind": "events", "source": "w", "table": "t", "type": "test", "fields": fields}
    mistakes = desk.mistakes(json.dumps(mapping))
    wrong = [(name, type_) for name, (_, type_) in pairs if type_ != "VARCHAR"]
    assert [mistake.split(": ", 1)[1] for mistake in mistakes] == [
        f"{name!r} is {type_}; a key is text or an integer;"
        " cast it to BIGINT or VARCHAR as the other systems spell it"
        for name, type_ in wrong
    ]


def test_an_event_of_a_user_who_could_never_be_erased_is_refused(desk: Desk) -> None:
    desk.table("SELECT 'e' || i AS k, u FROM (VALUES (1, ''), (2, '..'), (3, chr(9))) v(i, u)")
    found = desk.events("id: k\nuid: u\noriginal_timestamp: {value: '2024-01-01'}")
    assert [(row.key, row.code, row.field) for row in found] == [
        (f"e{number}", "unaddressable_key", "uid") for number in (1, 2, 3)
    ]
