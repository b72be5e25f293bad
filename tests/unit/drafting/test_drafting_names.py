import re

import pytest

from connector.drafting import names
from connector.drafting.events import table_words


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("CustomerID", "customer_id"),
        ("Loyalty Number", "loyalty_number"),
        ("InvoiceNo", "invoice_no"),
        ("userCode", "user_code"),
        ("CLV", "clv"),
        ("sessions_30d", "sessions_30_d"),
        ("страна", ""),
    ],
)
def test_a_column_s_name_is_taken_apart_into_words(column: str, words: str) -> None:
    assert names.words(column) == words


def test_a_name_of_letters_that_are_not_known_stays() -> None:
    assert names.field_name("страна проживания") == "страна_проживания"


@pytest.mark.parametrize(
    ("table", "one"),
    [
        ("searches", "search"),
        ("hotel_stays", "hotel_stay"),
        ("app_activities", "app_activity"),
        ("address", "address"),
        ("status", "status"),
        ("bus", "bus"),
        ("s", "s"),
    ],
)
def test_a_table_is_named_for_many_and_an_event_for_one(table: str, one: str) -> None:
    assert names.singular(table) == one


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("analytics.page_views", "page_views"),
        ('"Web Data"."Page Views"', "page_views"),
        ("exports/2024/clicks.csv.gz", "clicks"),
        ("events/*.parquet", ""),
        ("retail_orders.parquet", "retail_orders"),
    ],
)
def test_the_words_of_a_table_are_those_of_its_last_part(table: str, words: str) -> None:
    assert table_words(table) == words


@pytest.mark.parametrize(
    ("table", "type_"),
    [
        ("web_page_views", "page_view"),
        ("banner_impressions", "impression"),
        ("clickstream", "click"),
        ("shop_order_lines", "conversion"),
        ("hotel_reservations", "conversion"),
        ("dwell_times", "dwell_time"),
        ("searches", None),
        ("order_status_log", None),
    ],
)
def test_a_table_s_name_speaks_of_a_type(table: str, type_: str | None) -> None:
    found = (each for pattern, each in names.EVENT_TABLES.items() if re.fullmatch(pattern, table))
    assert next(found, None) == type_


@pytest.mark.parametrize("name", ["loaded_at", "updated_at", "src_day", "birth_date", "_etl_date"])
def test_times_of_other_things_are_not_when_it_happened(name: str) -> None:
    assert names.NOT_THE_TIME.fullmatch(names.words(name))


@pytest.mark.parametrize("name", ["occurred_at", "InvoiceDate", "event_time", "ts"])
def test_times_of_the_event_are(name: str) -> None:
    words = names.words(name)
    assert not names.NOT_THE_TIME.fullmatch(words)
    assert any(re.fullmatch(pattern, words) for pattern in names.TIME)
