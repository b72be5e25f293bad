"""Drafts of the demo's tables and of real ones: they sync, and little is left to be changed.

Beside each draft stands what a person made of it: the lines that differ are fewer than one in five.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from pathlib import Path

import pytest

from connector.cli.main import run
from connector.demo.generate import generate
from connector.drafting import Draft
from tests.integration.drafting.conftest import REAL, Desk, fields

real = pytest.mark.skipif(not REAL.is_dir(), reason="the real tables are not there")


def changed(draft: Draft, made: str) -> float:
    """The part of the draft's lines, comments aside, that a person changed, added or took out."""
    before, after = _lines(draft.text), _lines(made)
    same = sum(size for _, _, size in SequenceMatcher(None, before, after).get_matching_blocks())
    return (max(len(before), len(after)) - same) / len(before)


def _lines(text: str) -> list[str]:
    stripped = (line.partition("  # ")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def test_the_demo_s_users_need_few_changes(desk: Desk) -> None:
    generate(desk.folder / "warehouse.duckdb", users=500, events=500)
    draft = desk.draft("users", "analytics.dim_users", name="users")
    made = (
        draft.text.replace(
            "date_sub('year', try_cast(birth_date AS DATE), current_date)",
            "date_sub('year', nullif(birth_date, date '1900-01-01'), updated_at)",
        )
        .replace("lower(trim(gender))", "lower(gender)")
        .replace(
            "total_orders: orders", 'total_orders: {expr: "coalesce(orders, 0)", type: number}'
        )
        .replace(
            "  missing: soft",
            "  missing: soft\n  erasures: {table: gdpr.erasure_requests, key: user_id}",
        )
    )
    assert 0 < changed(draft, made) < 0.2
    assert {"uid", "age", "country", "created_at", "loyalty_tier", "status"} <= set(fields(draft))
    desk.takes_every_offer(draft)
    report = desk.sync()["users"]
    assert (report.status, report.too_many_rejects) == ("done", False)
    assert not any("email" in user or "phone" in user for user in desk.sandbox.users())


@pytest.mark.parametrize(
    ("table", "type_", "wanted"),
    [
        ("page_views", "page_view", {"page_type", "page_id", "referral_source", "scroll_depth"}),
        ("impressions", "impression", {"item_id", "rank", "rec_id"}),
        ("clicks", "click", {"item_id", "click_type", "impression_id", "rec_id", "rank"}),
        ("orders", "conversion", {"item_ids", "conversion_type", "total", "currency"}),
        ("dwell", "dwell_time", {"dwell_ms", "page_view_id"}),
        ("searches", "search", {"search_query", "geolocation"}),
        ("app_events", "{expr: event_name}", {"item_id"}),
    ],
)
def test_the_demo_s_events_are_drafted_and_sent(
    desk: Desk, table: str, type_: str, wanted: set[str]
) -> None:
    generate(desk.folder / "warehouse.duckdb", users=100, events=3000)
    draft = desk.draft("events", f"analytics.{table}")
    assert f"\ntype: {type_}\n" in draft.text
    common = {"id", "original_timestamp", "uid", "sid", "cid", "locale", "device_type"}
    assert common | wanted <= set(fields(draft))
    desk.takes_every_offer(draft)
    report = desk.sync()[table]
    assert (report.status, report.rejected) == ("done", 0)
    assert report.changes["event"].acknowledged > 0


@real
def test_members_of_a_loyalty_programme_need_few_changes(desk: Desk) -> None:
    draft = desk.draft("users", "loyalty_users.parquet", source="files")
    made = draft.text.replace("  # clv: CLV", "  clv: CLV")
    made = made.replace("loyalty_tier: Loyalty Card", 'loyalty_tier: lower("Loyalty Card")')
    assert 0 < changed(draft, made) < 0.2
    found = fields(draft)
    assert found["uid"] == "Loyalty Number"
    assert found["created_at"] == 'make_date("Enrollment Year", "Enrollment Month", 1)'
    assert "Cancellation Year" in str(found["status"])
    desk.takes_every_offer(draft)
    report = desk.sync()["loyalty_users"]
    assert (report.rejected, report.changes["upsert"].acknowledged) == (0, 16_737)


@real
def test_travellers_whose_gender_is_none_have_none(desk: Desk) -> None:
    draft = desk.draft("users", "travel_users.parquet", source="files")
    assert fields(draft) == {
        "uid": "code", "age": "age", "gender": "nullif(lower(trim(gender)), 'none')",
    }  # fmt: skip
    made = draft.text.replace("  # company: company", "  company: company")
    assert changed(draft, made) < 0.2
    assert "  # name: name" in draft.text
    assert desk.sync()["travel_users"].changes["upsert"].acknowledged == 1_340
    genders = {user["gender"] for user in desk.sandbox.users()}
    assert genders == {"male", "female", None}


@real
def test_a_month_s_activity_is_dated_by_its_year_and_month(desk: Desk) -> None:
    draft = desk.draft("events", "loyalty_activity.parquet", source="files")
    found = fields(draft)
    assert found["original_timestamp"] == "make_date(Year, Month, 1)"
    assert found["uid"] == "Loyalty Number"
    made = draft.text.replace("type: loyalty_activity", "type: flight_activity")
    assert 0 < changed(draft, made) < 0.2


@real
def test_hotel_stays_are_bookings(desk: Desk) -> None:
    draft = desk.draft("events", "travel_hotel_stays.parquet", source="files")
    assert "\ntype: conversion\n" in draft.text
    found = fields(draft)
    assert (found["id"], found["uid"]) == ("travelCode", "userCode")
    assert found["conversion_type"] == {"value": "booking"}
    made = draft.text.replace("  # place: place", "  place: place")
    made = made.replace("  # days: days", "  nights: days")
    assert 0 < changed(draft, made) < 0.2
    desk.takes_every_offer(draft)
    assert desk.sync()["travel_hotel_stays"].changes["event"].acknowledged == 40_552


@real
def test_a_shop_s_order_lines_are_told_apart_and_its_customers_recognised(desk: Desk) -> None:
    draft = desk.draft("events", "retail_orders.parquet", source="files")
    found = fields(draft)
    assert found["uid"] == "regexp_replace(CustomerID, '[.]0+$', '')"
    assert "WHEN Quantity < 0 THEN 'return'" in str(found["conversion_type"])
    assert '"CustomerID" is not null' in draft.text
    assert "  # src_day: " in draft.text
    made = draft.text.replace("  description: trim(Description)\n", "")
    assert 0 < changed(draft, made) < 0.2
    assert draft.warnings == ()


def test_the_command_writes_a_draft_and_says_what_comes_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk.folder)
    desk.sql("create table t as select n as user_id, 'NO' as country from range(40) as t(n)")
    assert run(["init", "--from", "warehouse.t", "--kind", "users", "--name", "people"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("wrote mappings/people.yaml\n")
    assert "connector plan --select people" in out
    assert Path("mappings/people.yaml").is_file()
    assert run(["validate"]) == 0
    assert run(["sync"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "warehouse.t"],
        ["--from", "nowhere.t", "--kind", "users"],
        ["--from", "warehouse", "--kind", "users"],
        ["--from", "warehouse.t", "--kind", "users", "folder"],
        ["--kind", "users"],
        ["--from", "warehouse.t", "--kind", "recommendations"],
    ],
)  # fmt: skip
def test_a_draft_that_is_asked_for_wrongly_is_wrong_usage(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(desk.folder)
    assert run(["init", *arguments]) == 2
    assert not Path("folder").exists()
