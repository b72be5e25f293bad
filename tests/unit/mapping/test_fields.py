"""What becomes of a value that breaks a rule, of personal data, of constants."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from connector.errors import ConfigError
from tests.unit.mapping.conftest import Desk

KEY = "a key of the tests"


def hashed(normal: str) -> str:
    return hmac.new(KEY.encode(), normal.encode(), hashlib.sha256).hexdigest()


def test_a_field_that_breaks_a_rule_is_dropped_where_the_mapping_says_so(desk: Desk) -> None:
    desk.table("SELECT * FROM (VALUES ('u1', 'x', 'long'), ('u2', '5', 'x')) v(k, n, s)")
    found = desk.users(
        """
        uid: k
        n: {expr: n, type: number}
        s: "CASE s WHEN 'long' THEN repeat('x', 20480) ELSE s END"
        """,
        "on_invalid: drop_field",
    )
    assert [row.payload for row in found] == [
        {"uid": "u1", "n": None, "s": None, "is_deleted": False},
        {"uid": "u2", "n": 5, "s": "x", "is_deleted": False},
    ]


def test_one_field_may_be_dropped_and_another_cost_the_row(desk: Desk) -> None:
    desk.table("SELECT * FROM (VALUES ('u1', 'x', '1'), ('u2', '1', 'x')) v(k, a, b)")
    first, second = desk.users(
        "uid: k\na: {expr: a, type: number, on_invalid: drop_field}\nb: {expr: b, type: number}"
    )
    assert first.payload == {"uid": "u1", "a": None, "b": 1, "is_deleted": False}
    assert (second.code, second.field) == ("not_a_number", "b")


def test_a_dropped_key_is_no_key(desk: Desk) -> None:
    desk.table("SELECT repeat('k', 20480) AS k")
    (row,) = desk.users("uid: {expr: k, on_invalid: drop_field}")
    assert (row.key, row.code, row.field) == (None, "key_null", "uid")


def test_a_mandatory_field_that_was_dropped_is_missing(desk: Desk) -> None:
    desk.table("SELECT 'e' AS k, 'soon' AS at")
    (row,) = desk.events(
        "id: k\nsid: {value: s}\noriginal_timestamp: {expr: at, on_invalid: drop_field}"
    )
    assert (row.code, row.field) == ("missing_field", "original_timestamp")


def test_an_expression_that_fails_costs_its_row_or_its_field_alone(desk: Desk) -> None:
    desk.table("SELECT * FROM (VALUES ('u1', '7'), ('u2', 'seven'), ('u3', NULL)) v(k, n)")
    first, second, third = desk.users("uid: k\nn: n::INTEGER + 1")
    assert first.payload == {"uid": "u1", "n": 8, "is_deleted": False}
    assert (second.key, second.code, second.field) == ("u2", "expression_failed", "n")
    assert third.payload == {"uid": "u3", "n": None, "is_deleted": False}
    first, second, third = desk.users("uid: k\nn: {expr: n::INTEGER + 1, on_invalid: drop_field}")
    assert second.payload == {"uid": "u2", "n": None, "is_deleted": False}


def test_what_cannot_be_skipped_row_by_row_says_so(desk: Desk) -> None:
    desk.table("SELECT 'u' AS k, TIMESTAMP '2024-01-01' AS seen, 'Middle/Earth' AS zone")
    with pytest.raises(ConfigError, match=r"fails over some row.*Unknown TimeZone …"):
        desk.users("uid: k\nseen: seen AT TIME ZONE zone")


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("'Ada@Example.COM'", "ada@example.com"),
        ("e'  ada@example.com \\t\\r\\n'", "ada@example.com"),
        ("'ÉMILE@EXAMPLE.COM'", "émile@example.com"),
        ("'\"quoted\"@example.com'", '"quoted"@example.com'),
        ("'\"Ada@example.com\"'::JSON", "ada@example.com"),
        ("12345", "12345"),
    ],
)
def test_a_hash_is_over_the_trimmed_lower_cased_text(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, value: str, normal: str
) -> None:
    monkeypatch.setenv("CONNECTOR_PII_KEY", KEY)
    desk.table(f"SELECT 'u' AS k, {value} AS email")
    (row,) = desk.users("uid: k\nemail_hash: {expr: email, pii: hash}")
    assert row.payload == {"uid": "u", "email_hash": hashed(normal), "is_deleted": False}


@pytest.mark.parametrize(
    ("value", "normal"),
    [
        ("+49 (30) 123-456", "+4930123456"),
        ("  +1.555.0100", "+15550100"),
        ("030 / 123 456", "030123456"),
        ("555-0100 ext. 7", "55501007"),
    ],
)
def test_a_phone_is_hashed_by_its_digits_and_a_leading_plus(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, value: str, normal: str
) -> None:
    monkeypatch.setenv("CONNECTOR_PII_KEY", KEY)
    desk.table(f"SELECT 'u' AS k, '{value}' AS p")
    (row,) = desk.users("uid: k\nphone: {expr: p, pii: hash}")
    assert row.payload == {"uid": "u", "phone": hashed(normal), "is_deleted": False}


@pytest.mark.parametrize("value", ["NULL::VARCHAR", "''", "'   '"])
def test_of_nothing_there_is_no_hash(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CONNECTOR_PII_KEY", KEY)
    desk.table(f"SELECT 'u' AS k, {value} AS v, '+' AS plus")
    (row,) = desk.users("""
        uid: k
        email: {expr: v, pii: hash}
        phone: {expr: v, pii: hash}
        mobile: {expr: plus, pii: hash}
    """)
    nothing = {"email": None, "phone": None, "mobile": None}
    assert row.payload == {"uid": "u", "is_deleted": False, **nothing}


def test_a_long_hash_key_counts_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "k" * 200
    monkeypatch.setenv("CONNECTOR_PII_KEY", key)
    desk.table("SELECT 'u' AS k, 'x' AS v")
    (row,) = desk.users("uid: k\nv: {expr: v, pii: hash}")
    expected = hmac.new(key.encode(), b"x", hashlib.sha256).hexdigest()
    assert row.payload == {"uid": "u", "v": expected, "is_deleted": False}


def test_what_is_redacted_shows_that_it_is_there_and_nothing_more(desk: Desk) -> None:
    desk.table("SELECT * FROM (VALUES ('u1', 'ada@example.com'), ('u2', NULL)) v(k, email)")
    first, second = desk.users("uid: k\nemail: {expr: email, pii: redact}")
    assert first.payload == {"uid": "u1", "email": "[redacted]", "is_deleted": False}
    assert second.payload == {"uid": "u2", "email": None, "is_deleted": False}


def test_only_text_can_be_hashed(desk: Desk) -> None:
    desk.table("SELECT 'u' AS k, {'a': 1} AS s")
    mistakes = desk.mistakes(
        "kind: users\nsource: w\ntable: t\nfields:\n  uid: k\n  s: {expr: s, pii: hash}\n"
    )
    assert mistakes == [
        "m.yaml:6:13: 's' is STRUCT(a INTEGER), which cannot be sent as string;"
        " write to_json(…) or array_to_string(…) around it"
    ]


def test_constants_are_sent_as_they_are(desk: Desk) -> None:
    desk.table("SELECT 'u' AS k")
    (row,) = desk.users("""
        uid: k
        text: {value: "it's \\"so\\"\\n  -- \\\\ '' $$ /*"}
        number: {value: -5}
        fraction: {value: 0.1}
        flag: {value: false}
        list: {value: ["a", "it's", ""]}
        empty: {value: []}
        day: {value: "2024-02-29", type: time}
        bare: "'gold'"
        bare_number: 7
        block: |
          'one
            two'
    """)
    assert row.payload == {
        "uid": "u", "text": "it's \"so\"\n  -- \\ '' $$ /*", "number": -5, "fraction": 0.1,
        "flag": False, "list": ["a", "it's", ""], "empty": [], "day": "2024-02-29T00:00:00.000Z",
        "bare": "gold", "bare_number": 7, "block": "one\n  two", "is_deleted": False,
    }  # fmt: skip


def test_what_is_read_is_what_expressions_name(desk: Desk) -> None:
    desk.table("""SELECT 'u' AS k, 'de' AS country, '{"a": {"b": 5}, "c": [1]}'::JSON AS j,
        {'a': {'b': 'deep'}} AS s, [1, 2] AS xs, 'x' AS state, 'y' AS source""")
    (row,) = desk.users("""
        uid: k.concat('-', state)
        country: country.upper()
        arrow: j -> '$.a.b' ->> '$'
        double_arrow: j ->> '$.c[0]'
        member: s.a.b
        called: s['a']['b'].upper()
        doubled: {expr: "list_transform(xs, lambda x: (x * 2)::VARCHAR || source)"}
        counted: "[x for x in xs if x > 1].len()"
        source: source
    """)
    assert row.payload == {
        "uid": "u-x", "country": "DE", "arrow": "5", "double_arrow": "1", "member": "deep",
        "called": "DEEP", "doubled": ["2y", "4y"], "counted": 1, "source": "y",
        "is_deleted": False,
    }  # fmt: skip
