"""The page and the CSV: what they hold, and that no text of others does any harm."""

# ruff: noqa: S608 - queries over tables of its own
from __future__ import annotations

import csv
import io
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from connector.coverage.cover import cover
from connector.coverage.page import page, percent
from connector.coverage.report import CoverageReport
from connector.coverage.table import csv_text, safe_cell
from tests.unit.coverage.conftest import Warehouse

HARMFUL = "<script>alert(1)</script>"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Elements(HTMLParser):
    """Every element with its attributes, in order; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> CoverageReport:
    warehouse = Warehouse(tmp_path_factory.mktemp("report"))
    warehouse.sql(
        "CREATE TABLE users AS SELECT n AS id, '=cmd|''/c calc''!A1' AS plan, 30 AS dob_age, "
        f"'{HARMFUL}' AS tier, 'f' AS gender, timestamp '2026-01-01' AS \"last_seen_at\" "
        "FROM range(20) t(n)",
        "CREATE TABLE clicks AS SELECT 'c' || n AS id, timestamp '2026-01-01' AS at, "
        f"'{HARMFUL}' AS what, 'u' AS uid FROM range(9) t(n)",
    )
    warehouse.files.write(
        "users.yaml",
        f'kind: users\nname: "{HARMFUL}"\nsource: warehouse\ntable: users\n'
        "fields: {uid: id, plan: plan, loyalty_tier: tier, '=SUM(A1)': plan, age: dob_age}\n",
    )
    warehouse.files.write(
        "clicks.yaml",
        "kind: events\nname: '=cmd|calc'\nsource: warehouse\ntable: clicks\ntype: {expr: what}\n"
        "fields: {id: id, original_timestamp: at, uid: uid}\n",
    )
    warehouse.cover()
    return warehouse.cover()


def test_texts_of_others_are_shown_and_never_run(report: CoverageReport) -> None:
    text = page(report)
    elements = Elements(text)
    assert elements.all("script", "iframe", "object", "form", "link", "img") == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not [name for _, each in elements.found for name in each if name.startswith("on")]


def test_the_page_stands_alone(report: CoverageReport) -> None:
    text = page(report)
    policy = next(m for m in Elements(text).all("meta") if "http-equiv" in m)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert "url(" not in text
    assert "@import" not in text
    assert "http://" not in text
    assert "https://" not in text


def test_the_page_can_be_used_with_keyboard_and_screen_reader(report: CoverageReport) -> None:
    elements = Elements(page(report))
    assert elements.all("html")[0]["lang"] == "en"
    assert len(elements.all("h1")) == len(elements.all("main")) == 1
    assert all(each.get("scope") for each in elements.all("th"))
    assert all(each.get("aria-label") or "aria-hidden" in each for each in elements.all("svg"))
    regions = [each for each in elements.all("div") if each.get("class") == "scroll"]
    assert regions
    assert all(each["tabindex"] == "0" and each["aria-label"] for each in regions)
    ids = [each["id"] for _, each in elements.found if "id" in each]
    assert len(ids) == len(set(ids))
    labelled = [each["aria-labelledby"] for each in elements.all("section")]
    assert set(labelled) <= set(ids)
    headings = [int(tag[1]) for tag, _ in elements.found if tag in {"h1", "h2", "h3"}]
    assert all(after - before <= 1 for before, after in pairwise(headings))


def test_the_page_tells_tiers_steps_heat_trends_and_tables(report: CoverageReport) -> None:
    text = page(report)
    for wanted in (
        "The data do not reach Good yet",
        "last_login: last_seen_at",
        "Attributes of users by table",
        "stayed at",
        "2 reports since",
    ):
        assert wanted in text


def test_the_page_says_when_it_speaks_of_a_sample(report: CoverageReport) -> None:
    assert "random sample" not in page(report)
    assert "random sample of 12.5% of the rows" in page(replace(report, sample=12.5))


def test_the_page_tells_of_tables_that_could_not_be_read(warehouse: Warehouse) -> None:
    warehouse.mapping("nothing", "users", "", "uid: id")
    warehouse.sql("CREATE TABLE other AS SELECT 1 AS id")
    text = page(warehouse.cover())
    Elements(text)
    assert "could not be read" in text


@pytest.mark.parametrize(
    ("part", "text"),
    [(0, "0%"), (0.0004, "<1%"), (0.5, "50%"), (0.994, ">99%"), (0.99999, ">99%"), (1, "100%")],
)
def test_what_is_nearly_full_is_not_called_full(part: float, text: str) -> None:
    assert percent(part) == text


def test_no_cell_of_the_csv_is_a_formula(report: CoverageReport) -> None:
    rows = list(csv.reader(io.StringIO(csv_text(report))))
    assert len(rows) == 1 + 12 + 8 + 15
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert ["'=cmd|calc", "events"] in [row[:2] for row in rows]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx"])
def test_a_text_like_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert safe_cell(cell) == f"'{cell}"


def test_numbers_and_other_texts_stay_as_they_are() -> None:
    assert [safe_cell(each) for each in ("x=1", "", None, -1, 0.5)] == ["x=1", "", "", -1, 0.5]


def test_the_json_has_what_scripts_build_on(report: CoverageReport) -> None:
    document = report.to_json()
    assert document["schema_version"] == 1
    for mapping in document["mappings"]:
        assert {"name", "kind", "table", "rows", "reached", "tiers", "attributes", "quality"} <= (
            mapping.keys()
        )
        assert set(mapping["tiers"]) == {"good", "better", "best"}
        assert mapping["reached"] in {"none", "good", "better", "best"}
        for line in mapping["attributes"]:
            assert {"attribute", "tier", "field", "fill", "status", "suggestion"} <= line.keys()
            assert line["status"] in {"covered", "sparse", "missing"}


def test_recommendations_are_left_out(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.users("SELECT 1 AS id, ['a'] AS items", "uid: id")
    warehouse.files.write(
        "recs.yaml",
        "kind: recommendations\nsource: warehouse\ntable: users\nmodel_id: m\n"
        "fields: {user_id: id, item_ids: items}\n"
        f"write_to: {{path: {tmp_path / 'recs.parquet'}}}\n",
    )
    project = warehouse.files.load()
    found = cover(project, project.select(), target="sandbox").mappings
    assert [each.mapping.name for each in found] == ["users"]
