"""Figures against calculations that share no code with the connector's own."""
# ruff: noqa: S608 - queries over files of its own

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector.coverage.cover import DEFAULTS, Options, cover
from connector.coverage.report import CoverageReport, MappingCoverage
from connector.demo.generate import generate
from connector.project import load_project
from connector.sandbox import Sandbox
from connector.sync import sync
from tests.support.project_folder import ProjectFolder

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"


def _has_value(value: Any) -> bool:
    """A value that is not null, blank or empty, by Python's own idea of them."""
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, dict):
        return any(member is not None for member in value.values())
    if isinstance(value, list):
        return bool(value)
    return value is not None


def _filled(objects: Iterable[Mapping[str, Any]]) -> tuple[int, Counter[str]]:
    counts: Counter[str] = Counter()
    number = 0
    for each in objects:
        number += 1
        counts.update(name for name, value in each.items() if _has_value(value))
    return number, counts


def test_on_the_demo_figures_are_those_of_what_the_api_received(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "mappings", tmp_path / "mappings")
    generate(tmp_path / "data/warehouse.duckdb")
    project = load_project(tmp_path / "mappings")
    mappings = project.select()
    with Sandbox() as sandbox:
        sync(project, mappings, target=replace(project.target(), base_url=sandbox.base_url))
        users, events = list(sandbox.users()), list(sandbox.events())
    report = cover(project, mappings, target="sandbox")
    by_mapping = {
        "users": users,
        "app_events": [each for each in events if each.get("channel") == "app"],
        **{
            name: [each for each in events if each["type"] == type_]
            for name, type_ in {
                "clicks": "click", "dwell": "dwell_time", "impressions": "impression",
                "orders": "conversion", "page_views": "page_view", "searches": "search",
            }.items()
        },
    }  # fmt: skip
    assert {each.mapping.name for each in report.mappings} == by_mapping.keys()
    for entry in report.mappings:
        number, counts = _filled(by_mapping[entry.mapping.name])
        assert entry.rows == number
        assert {name: round(fill * number) for name, fill in entry.fills.items()} == {
            name: counts[name] for name in entry.fills
        }


def test_on_the_demo_attributes_are_provided_by_what_one_would_expect(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "mappings", tmp_path / "mappings")
    generate(tmp_path / "data/warehouse.duckdb")
    project = load_project(tmp_path / "mappings")
    report = cover(project, project.select(), target="sandbox")
    users, events = report.totals
    assert {each.attribute for each in users.attributes if each.tier and not each.filled} == {
        "last_login",
        "session_frequency",
    }
    provided = {each.attribute: (each.mapping, each.event_type) for each in events.attributes}
    assert provided["scroll_depth"] == ("app_events", "scroll")
    assert provided["review_click"] == ("app_events", "review_click")
    assert provided["dwell_time"][0] == "dwell"
    assert provided["page_id"] == ("page_views", None)
    assert provided["search_query"] == ("searches", None)
    assert {s.line for entry in report.mappings for s in entry.suggestions} >= {
        "last_login: last_seen_at",
        "session_frequency: sessions_30d",
    }


needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data are not here")


@pytest.fixture
def real(tmp_path: Path) -> ProjectFolder:
    return ProjectFolder(
        tmp_path,
        f"sources:\n  files: {{type: files, path: {DATA}}}\n"
        'targets:\n  sandbox: {base_url: "http://127.0.0.1:8787/v1", api_key: sandbox}\n',
    )


def _one(folder: ProjectFolder) -> MappingCoverage:
    (entry,) = _all(folder).mappings
    assert entry.error is None, entry.error
    return entry


def _all(folder: ProjectFolder, options: Options = DEFAULTS) -> CoverageReport:
    project = folder.load()
    return cover(project, project.select(), target="sandbox", options=options)


def _rows(sql: str) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        found = connection.execute(sql)
        names = [each[0] for each in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@needs_data
def test_on_loyalty_members_figures_are_those_of_a_loop(real: ProjectFolder) -> None:
    real.write(
        "members.yaml",
        """
        kind: users
        source: files
        table: loyalty_users.parquet
        fields:
          uid: Loyalty Number
          gender: Gender
          address: City
          created_at: make_date("Enrollment Year", "Enrollment Month", 1)
          status: if("Cancellation Year" is null, 'active', null)
          loyalty_programs: {expr: '["Loyalty Card"]', type: array<string>}
          salary: Salary
          loyalty_tier: Loyalty Card
        """,
    )
    entry = _one(real)
    rows = _rows(f"FROM '{DATA}/loyalty_users.parquet'")
    keys = Counter(row["Loyalty Number"] for row in rows)
    sent = [row for row in rows if keys[row["Loyalty Number"]] == 1]
    assert entry.rows == len(sent)
    fills = {each.attribute: each.fill for each in entry.attributes}
    expected = {
        "gender": sum(_has_value(row["Gender"]) for row in sent),
        "address": sum(_has_value(row["City"]) for row in sent),
        "created_at": len(sent),
        "status": sum(row["Cancellation Year"] is None for row in sent),
        "loyalty_programs": len(sent),
        "loyalty_tier": sum(_has_value(row["Loyalty Card"]) for row in sent),
    }
    assert {name: round(fills[name] * len(sent)) for name in expected} == expected
    salaries = sum(row["Salary"] is not None for row in sent)
    assert round(entry.fills["salary"] * len(sent)) == salaries
    assert {name for name, fill in fills.items() if not fill} & set(expected) == set()


@needs_data
def test_on_travellers_figures_are_those_of_a_loop(real: ProjectFolder) -> None:
    real.write(
        "travellers.yaml",
        """
        kind: users
        source: files
        table: travel_users.parquet
        fields: {uid: code, age: age, gender: "nullif(gender, 'none')"}
        """,
    )
    entry = _one(real)
    rows = _rows(f"FROM '{DATA}/travel_users.parquet'")
    assert entry.rows == len(rows)
    assert round(entry.fills["gender"] * len(rows)) == sum(row["gender"] != "none" for row in rows)
    assert round(entry.fills["age"] * len(rows)) == sum(row["age"] is not None for row in rows)


@needs_data
def test_on_retail_order_lines_figures_are_those_of_other_sql(real: ProjectFolder) -> None:
    real.write(
        "lines.yaml",
        """
        kind: events
        source: files
        table: retail_orders.parquet
        where: InvoiceDate < '2011-02-01'
        type: order_line
        fields:
          original_timestamp: InvoiceDate
          uid: split_part(CustomerID, '.', 1)
          sid: InvoiceNo
          item_id: StockCode
          product: Description
          geolocation: {expr: "{'country': Country}", type: object}
          quantity: Quantity
        """,
    )
    entry = _one(real)
    # A copy of an event is the same event: what is sent are the distinct rows.
    (expected,) = _rows(
        "SELECT count(*) AS rows, count(user) AS uid, count(trim(Description)) AS product FROM ("
        "SELECT DISTINCT InvoiceDate, split_part(CustomerID, '.', 1) AS user, InvoiceNo, "
        f"StockCode, Description, Country, Quantity FROM '{DATA}/retail_orders.parquet' "
        "WHERE InvoiceDate < '2011-02-01')"
    )
    assert entry.rows == expected["rows"]
    assert round(entry.fills["uid"] * entry.rows) == expected["uid"]
    assert round(entry.fills["product"] * entry.rows) == expected["product"]
    (geolocation,) = (each for each in entry.attributes if each.attribute == "geolocation")
    assert (geolocation.fill, geolocation.status) == (1.0, "covered")


GOOD_IDEAS = {
    "gender: lower(trim(Gender))",
    "address: nullif(concat_ws(', ', City, Province), '')",
    'created_at: make_date("Enrollment Year", "Enrollment Month", 1)',
    "status: CASE WHEN \"Cancellation Year\" IS NULL THEN 'active' ELSE 'cancelled' END",
    "loyalty_programs: {expr: 'CASE WHEN \"Loyalty Card\" <> '''' THEN [\"Loyalty Card\"] END', "
    "type: array<string>}",
    "country: Country",
    "loyalty_tier: Loyalty Card",
    "age: age",
    "gender: nullif(lower(trim(gender)), 'none')",
}
"""What somebody who knows the tiers would write for these tables."""


@needs_data
def test_at_least_eight_of_ten_suggestions_for_unmapped_tables_are_good(
    real: ProjectFolder,
) -> None:
    for name, key in {"loyalty_users": "Loyalty Number", "travel_users": "code"}.items():
        real.write(
            f"{name}.yaml",
            f"kind: users\nsource: files\ntable: {name}.parquet\nfields: {{uid: {key}}}\n",
        )
    for name, at, uid in (
        ("loyalty_activity", 'make_date("Year", "Month", 1)', "Loyalty Number"),
        ("travel_hotel_stays", "date", "userCode"),
    ):
        real.write(
            f"{name}.yaml",
            f"kind: events\nsource: files\ntable: {name}.parquet\ntype: {name}\n"
            f"fields: {{original_timestamp: '{at}', uid: {uid}}}\n",
        )
    found = [
        each.line
        for entry in _all(real, Options(quality=False)).mappings
        for each in entry.suggestions
    ]
    assert len(found) >= len(GOOD_IDEAS)
    assert len(set(found) & GOOD_IDEAS) >= 0.8 * len(found)
