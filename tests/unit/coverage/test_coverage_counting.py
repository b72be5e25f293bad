"""What counts as a value, and which rows count at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.coverage.cover import Options
from tests.unit.coverage.conftest import Warehouse

EXPRESSIONS = [
    ("text", "VALUES ('a'), (''), (' '), (e'\\t\\n'), (chr(160)), ('é'), (NULL)", "v", 2),
    ("number", "VALUES (1), (0), (NULL)", "v", 2),
    ("boolean", "VALUES (true), (false), (NULL)", "v", 2),
    ("time", "VALUES (timestamp '2026-01-01'), (NULL)", "v", 1),
    ("list", "VALUES (['a']), ([]::VARCHAR[]), (NULL)", "v", 1),
    ("embedding", "VALUES ([1.5, 2]), ([]::DOUBLE[]), (NULL)", "v", 1),
    ("number as text", "VALUES ('1'), ('2.5'), (NULL)", "{expr: v, type: number}", 2),
    ("list as JSON", "VALUES ('[\"a\"]'), ('[]'), (NULL)", "{expr: v, type: array<string>}", 1),
    ("expression", "VALUES ('a'), ('b'), (NULL)", "nullif(v, 'b')", 1),
    ("constant", "VALUES (1), (2)", "{value: gold}", 2),
]


@pytest.mark.parametrize(
    ("rows", "rule", "filled"), [each[1:] for each in EXPRESSIONS], ids=[e[0] for e in EXPRESSIONS]
)
def test_null_blank_and_empty_are_no_values(
    fill: Callable[[str, str], int], rows: str, rule: str, filled: int
) -> None:
    assert fill(rows, rule) == filled


def test_an_object_without_any_value_is_empty(warehouse: Warehouse) -> None:
    warehouse.events(
        "views",
        "SELECT 'e' || n AS id, timestamp '2026-01-01' AS at, 'u' AS uid, "
        "CASE n WHEN 0 THEN {'a': 1, 'b': NULL} WHEN 1 THEN {'a': NULL, 'b': NULL} END AS geo "
        "FROM range(3) t(n)",
        "id: id\noriginal_timestamp: at\nuid: uid\ngeolocation: {expr: geo, type: object}",
        "type: view\n",
    )
    entry = warehouse.one()
    assert entry.rows == 3
    assert entry.fills["geolocation"] == pytest.approx(1 / 3)


def test_rows_that_are_refused_do_not_count(warehouse: Warehouse) -> None:
    warehouse.users(
        "FROM (VALUES ('a', 30.0), ('b', 'nan'::DOUBLE), (NULL, 30), ('', 30), (e'x\\ny', 30), "
        "('c', 30), ('c', 31), ('..', 1)) t(id, age)",
        "uid: id\nage: age",
    )
    entry = warehouse.one()
    assert (entry.read, entry.rows, entry.repeated_keys) == (8, 1, 1)


def test_users_without_consent_do_not_count_and_flagged_ones_do(warehouse: Warehouse) -> None:
    warehouse.users(
        "FROM (VALUES (1, true, 'open'), (2, true, 'closed'), (3, false, 'open'), "
        "(4, NULL, 'open'), (5, true, 'gone')) t(id, ok, state)",
        "uid: id\nstatus: state",
        "consent: {when: ok}\ndeletes: {soft_when: state = 'closed', hard_when: state = 'gone'}\n",
    )
    assert warehouse.one().rows == 2


def test_copies_of_an_event_count_once_and_contradicting_ones_not_at_all(
    warehouse: Warehouse,
) -> None:
    warehouse.events(
        "clicks",
        "SELECT id, timestamp '2026-01-01' AS at, 'u' AS uid, item FROM "
        "(VALUES ('a', 'x'), ('a', 'x'), ('b', 'x'), ('b', 'y'), ('c', 'x')) t(id, item)",
        "id: id\noriginal_timestamp: at\nuid: uid\nitem_id: item\nclick_type: {value: open}",
    )
    assert warehouse.one().rows == 2
    assert warehouse.one(Options(quality=False)).rows == 5


def test_copies_of_an_event_without_an_id_count_once(warehouse: Warehouse) -> None:
    warehouse.events(
        "clicks",
        "SELECT timestamp '2026-01-01' AS at, u AS uid, item "
        "FROM (VALUES ('u', 'x'), ('u', 'x'), ('u', 'y')) t(u, item)",
        "original_timestamp: at\nuid: uid\nitem_id: item\nclick_type: {value: open}",
    )
    assert warehouse.one().rows == 2


def test_a_failing_expression_costs_its_row_only(warehouse: Warehouse) -> None:
    warehouse.users(
        "FROM (VALUES (1, '7'), (2, 'seven'), (3, NULL)) t(id, n)", "uid: id\nage: n::INTEGER"
    )
    entry = warehouse.one()
    assert (entry.rows, entry.fills["age"]) == (2, 0.5)


def test_hashed_fields_are_counted_without_their_key(warehouse: Warehouse) -> None:
    warehouse.users(
        "FROM (VALUES (1, 'a@example.com'), (2, ' '), (3, NULL)) t(id, email)",
        "uid: id\nemail_hash: {expr: email, pii: hash}",
    )
    assert warehouse.one().fills["email_hash"] == pytest.approx(1 / 3)


def test_a_hashed_uid_still_tells_users_apart(warehouse: Warehouse) -> None:
    warehouse.users(
        "FROM (VALUES ('a@example.com'), ('b@example.com'), ('A@example.com')) t(email)",
        "uid: {expr: email, pii: hash}",
    )
    entry = warehouse.one()
    assert (entry.rows, entry.repeated_keys) == (1, 1)


def test_a_dropped_value_is_no_value(warehouse: Warehouse) -> None:
    warehouse.users(
        "FROM (VALUES (1, 1.5), (2, 'inf'::DOUBLE)) t(id, n)",
        "uid: id\nage: {expr: n, on_invalid: drop_field}",
    )
    entry = warehouse.one()
    assert (entry.rows, entry.fills["age"]) == (2, 0.5)


def test_other_sources_are_counted_alike(warehouse: Warehouse) -> None:
    rows = "SELECT 'u' || n AS id, nullif(n % 3, 0) AS age FROM range(300) t(n)"
    warehouse.users(rows, "uid: id\nage: age")
    (warehouse.folder / "files").mkdir()
    warehouse.sql(f"COPY ({rows}) TO '{warehouse.folder / 'files/u.parquet'}'")
    warehouse.files.write(
        "parquet.yaml",
        "kind: users\nsource: files\ntable: u.parquet\nfields: {uid: id, age: age}\n",
    )
    one, other = warehouse.cover().mappings
    assert (one.rows, one.fills) == (other.rows, other.fills) == (300, {"uid": 1.0, "age": 2 / 3})


def test_queries_and_conditions_of_the_source_are_obeyed(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, n AS age FROM range(10) t(n)", "uid: id\nage: age")
    warehouse.files.write(
        "users.yaml",
        "kind: users\nsource: warehouse\nquery: select id, age from users -- all\n"
        "where: id < 4\nfields: {uid: id, age: age}\n",
    )
    assert warehouse.one().rows == 4


def test_a_sample_counts_a_part_and_leaves_no_history(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, n AS age FROM range(100000) t(n)", "uid: id\nage: age")
    entry = warehouse.one(Options(sample=10))
    assert 8_000 < entry.rows < 12_000
    assert entry.trend == []
    assert len(warehouse.one().trend) == 1


def test_what_cannot_be_read_is_told_and_the_others_are_covered(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id FROM range(3) t(n)", "uid: id")
    warehouse.mapping("nothing", "users", "", "uid: id")
    report = warehouse.cover()
    assert [(each.mapping.name, each.error is None) for each in report.mappings] == [
        ("nothing", False),
        ("users", True),
    ]
    assert report.exit_code == 1
