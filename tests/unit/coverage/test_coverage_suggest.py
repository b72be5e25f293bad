"""What is suggested for columns that nobody uses, and what is not."""

# ruff: noqa: S608 - queries over tables of its own
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from connector.coverage.suggest import Suggestion
from connector.coverage.yamlline import field_line
from connector.mapping.rules import FieldType, Tier
from connector.mapping.yamlfile import read_document
from tests.unit.coverage.conftest import Warehouse

EVENT = "id: id\noriginal_timestamp: at\nuid: uid\nclick_type: {value: open}\nitem_id: uid"

USERS = [
    ("age", "21 + n AS age", "age: age"),
    ("age", "date '1980-01-01' + n::INTEGER AS dob",
     "age: date_sub('year', try_cast(dob AS DATE), current_date)"),
    ("age", "'1980-01-0' || (1 + n) AS date_of_birth",
     "age: date_sub('year', try_cast(date_of_birth AS DATE), current_date)"),
    ("age", "1980 + n AS birth_year", "age: year(current_date) - birth_year"),
    ("gender", "if(n = 0, 'none', 'f') AS customerGender",
     "gender: nullif(lower(trim(customerGender)), 'none')"),
    ("address", "'Oslo' AS City", "address: City"),
    ("created_at", "timestamp '2026-01-01' AS registered_on", "created_at: registered_on"),
    ("created_at", "'2026-01-01 10:00:00' AS signup_date",
     'created_at: {expr: "signup_date", type: time}'),
    ("status", "n > 1 AS is_active",
     "status: CASE WHEN is_active THEN 'active' WHEN NOT is_active THEN 'inactive' END"),
    ("last_login", "timestamp '2026-01-01' AS last_seen_at", "last_login: last_seen_at"),
    ("session_frequency", "n + 1 AS sessions_30d", "session_frequency: sessions_30d"),
    ("previous_reviews", "n + 1 AS reviewCount", "previous_reviews: reviewCount"),
    ("labels", "'a,b' AS tags",
     "labels: {expr: \"string_split(tags, ',')\", type: array<string>}"),
    ("past_trips", "n + 1 AS total_trips", "past_trips: total_trips"),
    ("country", "'NO' AS \"order\", 'NO' AS country_code", "country: country_code"),
    ("avg_order_value", "1.5 AS aov", "avg_order_value: aov"),
]  # fmt: skip

EVENTS = [
    ("search_query", "'tent' AS \"Search Term\"", "search_query: Search Term"),
    ("geolocation", "59.9 AS lat, 10.7 AS lon",
     "geolocation: {expr: \"{'lat': lat, 'lon': lon}\", type: object}"),
    ("locale/language", "'nb' AS browser_language", "language: browser_language"),
    ("dwell_time", "n + 1.5 AS time_on_page", "dwell_ms: time_on_page * 1000"),
    ("device_type", "n > 1 AS is_mobile",
     "device_type: CASE WHEN is_mobile THEN 'mobile' WHEN NOT is_mobile THEN 'desktop' END"),
    ("referral_source", "'mail' AS utm_source", "referral_source: utm_source"),
    ("cart_content", "['a'] AS basket_items", "cart_content: basket_items"),
    ("email_campaign", "'spring' AS utm_campaign, if(n = 1, 'cpc', 'Email') AS utm_medium",
     "email_campaign: CASE WHEN lower(utm_medium) IN ('email', 'e-mail', 'mail', 'newsletter') "
     "THEN utm_campaign END"),
]  # fmt: skip

NOTHING = [
    "'someone@example.com' AS email",
    "'+47 400 00 000' AS phone",
    "'x' AS colour",
    "'spring' AS utm_campaign, 'cpc' AS utm_medium",
    "1_000_000 + n AS age",
    "NULL::VARCHAR AS gender",
    "'u' || n AS loyalty_program_id",
    "'long ago' AS signup_date",
    "'text' AS total_orders",
]


def _suggested(warehouse: Warehouse) -> dict[str, Suggestion]:
    return {each.attribute: each for each in warehouse.one().suggestions}


@pytest.mark.parametrize(("attribute", "columns", "line"), USERS)
def test_a_column_of_users_is_known_by_name_type_and_content(
    warehouse: Warehouse, attribute: str, columns: str, line: str
) -> None:
    warehouse.users(f"SELECT n AS id, {columns} FROM range(4) t(n)", "uid: id")
    assert _suggested(warehouse)[attribute].line == line


@pytest.mark.parametrize(("attribute", "columns", "line"), EVENTS)
def test_a_column_of_events_is_known_by_name_type_and_content(
    warehouse: Warehouse, attribute: str, columns: str, line: str
) -> None:
    warehouse.events("clicks", "SELECT 'e' || n AS id, timestamp '2026-01-01' AS at, 'u' AS uid, "
                     f"{columns} FROM range(4) t(n)", EVENT)  # fmt: skip
    assert _suggested(warehouse)[attribute].line == line


@pytest.mark.parametrize("columns", NOTHING)
def test_nothing_is_made_of_what_does_not_fit(warehouse: Warehouse, columns: str) -> None:
    warehouse.users(f"SELECT n AS id, {columns} FROM range(4) t(n)", "uid: id")
    assert _suggested(warehouse) == {}


def test_columns_in_use_and_attributes_that_are_there_are_left_alone(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, 30 AS age, 'f' AS gender, 'm' AS sex FROM range(4) t(n)",
                    "uid: id\nyears: age\ngender: sex")  # fmt: skip
    assert _suggested(warehouse) == {}


def test_a_suggestion_tells_which_tier_it_brings(warehouse: Warehouse) -> None:
    warehouse.users(
        "SELECT n AS id, 30 AS age, 'f' AS gender, 'Oslo' AS city, timestamp '2026-01-01' AS at, "
        "'active' AS status, 3 AS reviews, timestamp '2026-01-01' AS last_seen_at "
        "FROM range(4) t(n)",
        "uid: id\ngender: gender\naddress: city\ncreated_at: at\nstatus: status\n"
        "previous_reviews: reviews",
    )
    found = _suggested(warehouse)
    assert (found["age"].tier, found["age"].reaches) == (Tier.GOOD, Tier.GOOD)
    assert (found["last_login"].tier, found["last_login"].reaches) == (Tier.BETTER, None)
    assert found["last_login"].together is Tier.GOOD


def test_the_fill_is_that_of_the_rows_looked_at(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, nullif(20 + n, 20) AS age FROM range(4) t(n)", "uid: id")
    assert _suggested(warehouse)["age"].fill == 0.75


@pytest.mark.parametrize(
    ("expression", "type_"),
    [
        ("age", None), ('"Enrollment Year" + 1', None), ("{'a': b}", FieldType.OBJECT),
        ("a || ': ' || b", None), ("x # y", None), ("'it''s' || \"q\"", FieldType.STRINGS),
        ("true", None), ("007", None), ("[a]", None), ("a\tb", None), ("naïve", None),
        ("- a", None), ("\\d", FieldType.NUMBER), ("a\u2028b", FieldType.STRING),
    ],
)  # fmt: skip
def test_a_line_reads_back_as_what_was_meant(
    tmp_path: Path, expression: str, type_: FieldType | None
) -> None:
    line = field_line("some field", expression, type_)
    assert "\n" not in line
    file = tmp_path / "line.yaml"
    file.write_text(line, "utf-8")
    document, problems = read_document(file)
    assert document is not None
    assert problems == []
    meant = expression if type_ is None else {"expr": expression, "type": str(type_)}
    assert document.data == {"some field": meant}
    assert yaml.safe_load(line)
