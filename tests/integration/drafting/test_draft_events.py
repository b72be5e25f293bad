"""Drafts of events: when, whose, of which type, with what they must have."""

from __future__ import annotations

import pytest

from connector.errors import UsageError
from tests.integration.drafting.conftest import Desk, fields, head


def test_clicks_have_all_that_clicks_must_have(desk: Desk) -> None:
    desk.sql(
        "create table web_clicks as select 'e' || n as event_id, moment(n) as clicked_at, "
        "'u' || n % 9 as user_id, 's' || n % 20 as session_id, 'sku' || n % 5 as sku, "
        "['add', 'open'][1 + n % 2] as action, n % 4 as position, 'im' || n as impression_id, "
        "true as shiny, now()::timestamp as loaded_at from range(100) as t(n)"
    )
    draft = desk.draft("events", "web_clicks")
    assert head(draft) == {
        "kind": "events", "source": "warehouse", "table": "web_clicks", "type": "click",
        "cursor": "clicked_at", "lookback": "3 days",
    }  # fmt: skip
    assert fields(draft) == {
        "id": "event_id", "original_timestamp": "clicked_at", "uid": "user_id",
        "sid": "session_id", "item_id": "sku", "rank": "position", "click_type": "action",
        "impression_id": "impression_id",
    }  # fmt: skip
    assert "# shiny: shiny" in draft.text
    desk.takes_every_offer(draft)
    assert desk.sync()["web_clicks"].changes["event"].acknowledged == 100


def test_what_no_column_says_is_a_constant_to_look_at(desk: Desk) -> None:
    desk.sql(
        "create table clicks as select n as id, moment(n) as ts, n % 9 as customer_id, "
        "n % 5 as product_id from range(50) as t(n)"
    )
    draft = desk.draft("events", "clicks")
    assert fields(draft)["click_type"] == {"value": "click"}
    assert "look: no column says which" in draft.text
    assert desk.sync()["clicks"].rejected == 0


def test_a_standard_type_that_cannot_be_made_up_becomes_a_custom_one(desk: Desk) -> None:
    desk.sql(
        "create table impressions as select n as id, moment(n) as ts, n % 9 as customer_id, "
        "n % 5 as product_id from range(50) as t(n)"
    )
    draft = desk.draft("events", "impressions")
    assert head(draft)["type"] == "impression_row"
    assert "mandatory" in draft.text
    assert desk.sync()["impressions"].rejected == 0


def test_one_table_of_many_types_is_told_by_its_column(desk: Desk) -> None:
    desk.sql(
        "create table app_log as select n as event_id, moment(n) as event_time, "
        "['open', 'close'][1 + n % 2] as event_name, 'd' || n % 7 as device_id "
        "from range(50) as t(n)"
    )
    draft = desk.draft("events", "app_log")
    assert head(draft)["type"] == {"expr": "event_name"}
    assert fields(draft)["cid"] == "device_id"
    assert desk.sync()["app_log"].types == {"close": 25, "open": 25}


@pytest.mark.parametrize(
    ("column", "expected", "cursor"),
    [
        ("moment(n)", "happened", "happened"),
        ("(timestamp '2026-03-01')::date + n::integer", "happened", "happened"),
        (
            "strftime(timestamp '2026-03-01', '%Y-%m-%dT%H:%M:%SZ')",
            {"expr": "happened", "type": "time"},
            None,
        ),
        ("1772323200 + n", {"expr": "happened", "type": "time"}, None),
        ("1772323200000 + n", {"expr": "happened", "type": "time"}, None),
    ],
)  # fmt: skip
def test_times_are_found_however_they_are_kept(
    desk: Desk, column: str, expected: object, cursor: str | None
) -> None:
    table = f"select n as id, n % 3 as user_id, {column} as happened from range(40) as t(n)"  # noqa: S608
    desk.sql(f"create table things as {table}")
    draft = desk.draft("events", "things")
    assert fields(draft)["original_timestamp"] == expected
    assert head(draft).get("cursor") == cursor
    assert desk.sync()["things"].changes["event"].acknowledged == 40


def test_the_event_s_own_time_goes_before_that_of_the_warehouse(desk: Desk) -> None:
    desk.sql(
        "create table visits as select n as id, n % 3 as user_id, "
        "now()::timestamp as created_at_etl, now()::timestamp as updated_at, "
        "moment(n) as visit_date from range(40) as t(n)"
    )
    assert head(desk.draft("events", "visits"))["cursor"] == "visit_date"


def test_copies_of_a_row_do_not_hide_its_id(desk: Desk) -> None:
    desk.sql(
        "create table visits as select n as visit_no, n % 3 as user_id, moment(n) as seen_at "
        "from range(40) as t(n)",
        "insert into visits from visits limit 5",
    )
    draft = desk.draft("events", "visits")
    assert fields(draft)["id"] == "visit_no"
    assert "copies of a row are one event" in draft.text
    assert desk.sync()["visits"].changes["event"].acknowledged == 40


def test_without_an_id_everything_is_sent_that_tells_rows_apart(desk: Desk) -> None:
    desk.sql(
        "create table readings as select n % 3 as user_id, timestamp '2026-03-01' as seen_at, "
        "n as depth, 'user@example.com' as email from range(40) as t(n)"
    )
    draft = desk.draft("events", "readings")
    assert fields(draft) == {
        "original_timestamp": "seen_at", "uid": "user_id", "depth": "depth",
    }  # fmt: skip
    assert desk.sync()["readings"].changes["event"].acknowledged == 40


def test_rows_of_nobody_are_not_read(desk: Desk) -> None:
    desk.sql(
        "create table visits as select n as id, moment(n) as seen_at, "
        "if(n % 4 = 0, null, 'u' || n) as \"User ID\" from range(40) as t(n)"
    )
    draft = desk.draft("events", "visits")
    assert head(draft)["where"] == '"User ID" is not null'
    assert "# 25.0% of the rows are nobody's" in draft.text
    report = desk.sync()["visits"]
    assert (report.rejected, report.changes["event"].acknowledged) == (0, 30)


def test_blank_keys_stand_for_none(desk: Desk) -> None:
    desk.sql(
        "create table visits as select n as id, moment(n) as seen_at, "
        "if(n % 4 = 0, '', 'u' || n) as user_id, 's' || n as session_id from range(40) as t(n)"
    )
    assert fields(desk.draft("events", "visits"))["uid"] == "nullif(user_id, '')"
    assert desk.sync()["visits"].rejected == 0


def test_what_went_back_is_no_purchase(desk: Desk) -> None:
    desk.sql(
        "create table order_lines as select moment(n) as order_date, n % 5 as customer_id, "
        "'p' || n % 7 as product_code, (n % 6) - 1 as qty, 2.5 as unit_price "
        "from range(60) as t(n)"
    )
    draft = desk.draft("events", "order_lines")
    found = fields(draft)
    assert head(draft)["type"] == "conversion"
    assert found["conversion_type"] == "CASE WHEN qty < 0 THEN 'return' ELSE 'purchase' END"
    assert found["item_ids"] == {"expr": "[product_code]", "type": "array<string>"}
    assert (found["qty"], found["unit_price"]) == ("qty", "unit_price")
    assert desk.sync()["order_lines"].rejected == 0


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("n as id, n % 3 as user_id", "when an event happened"),
        ("n as id, timestamp '2026-03-01' as seen_at", "whose the events are"),
    ],
)
def test_what_is_no_table_of_events_is_told_so(desk: Desk, columns: str, said: str) -> None:
    desk.sql(f"create table things as select {columns} from range(40) as t(n)")  # noqa: S608
    with pytest.raises(UsageError, match=said) as caught:
        desk.draft("events", "things")
    assert caught.value.hint


def test_names_that_mean_more_to_the_platform_are_given_another(desk: Desk) -> None:
    desk.sql(
        "create table visits as select n as visit_id, moment(n) as seen_at, n % 3 as user_id, "
        "'a' as type, n as id, 'x' as ingest_timestamp, 'home' as page_type "
        "from range(40) as t(n)"
    )
    draft = desk.draft("events", "visits")
    assert "# visit_type: type" in draft.text
    assert "# visit_ingest_timestamp: " in draft.text
    assert "# page_type: page_type" in draft.text
    desk.takes_every_offer(draft)
