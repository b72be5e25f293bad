"""The figures behind the coverage, and what is never shown."""

# ruff: noqa: S608 - queries over tables of its own
from __future__ import annotations

import json
from typing import Any

import pytest

from connector.coverage.cover import Options
from tests.unit.coverage.conftest import Warehouse

EVENT = "id: id\noriginal_timestamp: at\nuid: uid\n"


def _quality(warehouse: Warehouse, name: str) -> dict[str, Any]:
    report = warehouse.cover()
    (entry,) = (each for each in report.mappings if each.mapping.name == name)
    assert entry.error is None, entry.error
    return entry.quality


def test_fields_have_fill_distinct_values_and_ends(warehouse: Warehouse) -> None:
    warehouse.users(
        "SELECT n AS id, nullif(n % 4, 0) AS orders, timestamp '2026-01-01' + to_days(n::INTEGER) "
        "AS at, if(n < 60, 'gold', 'blue') AS tier, n % 2 = 0 AS member, "
        "['a', 'b'][1:n::INTEGER % 3] AS tags FROM range(100) t(n)",
        "uid: id\norders: orders\ncreated_at: at\nloyalty_tier: tier\nmember: member\nlabels: tags",
    )
    fields = _quality(warehouse, "users")["fields"]
    assert fields["orders"] == {
        "type": "number", "fill": 0.75, "filled": 75, "distinct": 3, "min": 1, "max": 3,
    }  # fmt: skip
    assert fields["created_at"]["min"] == "2026-01-01T00:00:00Z"
    assert fields["created_at"]["max"] == "2026-04-10T00:00:00Z"
    assert fields["loyalty_tier"]["top"] == [
        {"value": "gold", "rows": 60},
        {"value": "blue", "rows": 40},
    ]
    assert {each["value"] for each in fields["member"]["top"]} == {"true", "false"}
    assert (fields["labels"]["shortest"], fields["labels"]["longest"]) == (0, 2)


SECRET = "Zaphod"


@pytest.mark.parametrize(
    "rule",
    [
        "uid: v",
        "first_name: v",
        "address: v",
        "date_of_birth: v",
        "handle: {expr: v, pii: allow}",
        "handle: {expr: v, pii: hash}",
        "handle: street",
        "notes: v",
    ],
)
def test_values_that_identify_people_are_never_shown(warehouse: Warehouse, rule: str) -> None:
    uid = "" if rule.startswith("uid") else "uid: id\n"
    warehouse.users(f"SELECT n AS id, '{SECRET}' AS v, v AS street FROM range(20) t(n)",
                    uid + rule)  # fmt: skip
    report = warehouse.cover()
    assert SECRET not in json.dumps(report.to_json(), default=str)


def test_rare_values_are_not_shown(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, if(n < 10, 'often', 'once' || n) AS v FROM range(14) t(n)",
                    "uid: id\nkind: v")  # fmt: skip
    fields = _quality(warehouse, "users")["fields"]
    assert fields["kind"]["top"] == [{"value": "often", "rows": 10}]


def test_values_that_are_numbers_to_call_are_not_shown(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, '+47 40 00 00 00' AS v FROM range(9) t(n)",
                    "uid: id\nreach: v")  # fmt: skip
    fields = _quality(warehouse, "users")["fields"]
    assert fields["reach"]["values"] == "hidden"
    assert "top" not in fields["reach"]


def test_rows_that_are_not_sent_are_told_by_rule_and_type(warehouse: Warehouse) -> None:
    warehouse.events(
        "app",
        "FROM (VALUES ('a', 'click', NULL), ('b', 'click', NULL), ('c', 'scroll', NULL), "
        "('d', 'impression', 'i'), (NULL, 'scroll', NULL)) v(id, name, item) "
        "SELECT *, timestamp '2026-01-01' AS at, 'u' AS uid",
        EVENT + "item_id: item\nclick_type: {value: open}",
        "type: {expr: name}\n",
    )
    found = {
        (each["type"], each["code"], each["field"]): each["rows"]
        for each in _quality(warehouse, "app")["not_sent"]
    }
    assert found == {
        ("click", "missing_field", "item_id"): 2,
        ("impression", "missing_field", "rank"): 1,
        ("scroll", "key_null", "id"): 1,
    }


def test_links_that_lead_nowhere_are_counted_across_mappings(warehouse: Warehouse) -> None:
    at = "timestamp '2026-01-01' AS at"
    warehouse.users("SELECT 'u' || n AS id FROM range(10) t(n)", "uid: id")
    warehouse.events(
        "shown",
        f"SELECT 'i' || n AS id, {at}, 'u' || n AS uid, 'x' AS item, 1 AS rank FROM range(20) t(n)",
        EVENT + "item_id: item\nrank: rank",
        "type: impression\n",
    )
    warehouse.events(
        "clicks",
        f"SELECT 'c' || n AS id, {at}, nullif('u' || n % 20, 'u19') AS uid, 'x' AS item, "
        "'i' || n AS shown, 'p' || n AS page, 's' AS sid FROM range(40) t(n)",
        EVENT + "sid: sid\nitem_id: item\nclick_type: {value: open}\n"
        "impression_id: shown\npage_view_id: page",
    )
    links = _quality(warehouse, "clicks")["links"]
    assert links["impression_id"] == {
        "points_at": "impression", "fill": 1.0, "rows": 40, "orphans": 20,
    }  # fmt: skip
    assert (links["uid"]["rows"], links["uid"]["orphans"]) == (38, 18)
    assert links["page_view_id"]["orphans"] is None


def test_identity_volume_freshness_and_gaps_of_events(warehouse: Warehouse) -> None:
    warehouse.events(
        "clicks",
        "SELECT 'c' || n AS id, timestamp '2026-01-01' + to_days(n::INTEGER) AS at, "
        "nullif('u' || n, 'u0') AS uid, 's' AS sid, 'x' AS item "
        "FROM (VALUES (0), (1), (5), (7)) t(n)",
        EVENT + "sid: sid\nitem_id: item\nclick_type: {value: open}",
    )
    quality = _quality(warehouse, "clicks")
    assert quality["identity"] == {"uid": 0.75, "sid": 1.0}
    assert [each["day"] for each in quality["volume"]] == [
        "2026-01-01", "2026-01-02", "2026-01-06", "2026-01-08",
    ]  # fmt: skip
    assert quality["latest"] == "2026-01-08T00:00:00Z"
    assert quality["age_hours"] > 0
    assert quality["gaps"] == [
        {"from": "2026-01-03", "to": "2026-01-05", "days": 3},
        {"from": "2026-01-07", "to": "2026-01-07", "days": 1},
    ]


def test_a_report_tells_what_changed_since_the_last_one(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, nullif(n % 4, 0) AS age FROM range(100) t(n)",
                    "uid: id\nage: age")  # fmt: skip
    assert "since" not in warehouse.one().quality
    warehouse.sql("DELETE FROM users WHERE age IS NULL AND id < 40")
    entry = warehouse.one()
    assert entry.quality["since"]["rows"] == -10
    assert entry.quality["since"]["fills"] == {"age": pytest.approx(75 / 90 - 0.75, abs=1e-6)}
    assert [each.rows for each in entry.trend] == [100, 90]


def test_history_holds_no_values(warehouse: Warehouse) -> None:
    warehouse.users(f"SELECT n AS id, '{SECRET}' AS plan FROM range(9) t(n)", "uid: id\nplan: plan")
    entry = warehouse.one()
    assert entry.quality["fields"]["plan"]["top"]
    store = b"".join(
        file.read_bytes() for file in (warehouse.folder / ".connector/sandbox").glob("control.db*")
    )
    assert b"plan" in store
    assert SECRET.encode() not in store


def test_nothing_is_looked_at_closely_when_not_asked(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, 'gold' AS plan FROM range(9) t(n)", "uid: id\nplan: plan")
    entry = warehouse.one(Options(quality=False))
    assert (entry.quality, entry.closely, entry.repeated_keys) == ({}, False, None)
