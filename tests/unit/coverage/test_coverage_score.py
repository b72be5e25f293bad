"""From figures to tiers, on tables small enough to work out by hand."""

# ruff: noqa: S608 - queries over tables of its own
from __future__ import annotations

import pytest

from connector.coverage.attributes import FIELD_SYNONYMS, attributes_of, plain, recommended_for
from connector.coverage.clues import CLUES
from connector.coverage.score import Attribute, Status, lowest, reached, tiers, together
from connector.mapping.rules import Kind, Tier
from tests.unit.coverage.conftest import Warehouse

EVENT = "id: id\noriginal_timestamp: at\nuid: uid\n"
GOOD = "age: n\ngender: s\naddress: s\ncreated_at: at\nstatus: s\nprevious_reviews: n\n"


def _line(name: str, tier: Tier, filled: int) -> Attribute:
    return Attribute(name, tier, name, filled=filled, of=100)


def _found(warehouse: Warehouse, attribute: str) -> Attribute:
    (line,) = (each for each in warehouse.one().attributes if each.attribute == attribute)
    return line


def test_a_tier_is_reached_when_all_its_attributes_are_covered() -> None:
    lines = [_line("a", Tier.GOOD, 50), _line("b", Tier.GOOD, 100), _line("c", Tier.BETTER, 49)]
    good, better, _ = tiers(lines)
    assert (good.reached, good.score) == (True, 0.75)
    assert not better.reached
    assert better.score == pytest.approx(1.99 / 3)
    assert reached(tiers(lines)) is Tier.GOOD


def test_a_tier_is_not_reached_over_one_that_is_not() -> None:
    lines = [_line("a", Tier.GOOD, 0), _line("b", Tier.BETTER, 100), _line("c", Tier.BEST, 100)]
    assert reached(tiers(lines)) is None


def test_an_attribute_is_sparse_below_min_fill_and_missing_without_values() -> None:
    assert _line("a", Tier.GOOD, 50).status is Status.COVERED
    assert _line("a", Tier.GOOD, 49).status is Status.SPARSE
    assert _line("a", Tier.GOOD, 0).status is Status.MISSING
    assert Attribute("a", Tier.GOOD, "a", filled=0, of=0, min_fill=0.0).status is Status.MISSING


def test_an_attribute_counts_where_any_table_covers_it() -> None:
    one = [_line("a", Tier.GOOD, 10), _line("b", Tier.GOOD, 90)]
    two = [_line("a", Tier.GOOD, 80), _line("b", Tier.GOOD, 0)]
    lines = together([("one", one), ("two", two)])
    assert [(each.attribute, each.mapping) for each in lines] == [("a", "two"), ("b", "one")]
    assert all(each.reached for each in tiers(lines))


def test_the_whole_data_set_reaches_what_users_and_events_both_reach() -> None:
    assert lowest([Tier.BEST, Tier.GOOD]) is Tier.GOOD
    assert lowest([Tier.BEST, None]) is None
    assert lowest([]) is None


def test_a_users_table_with_all_of_good_reaches_good(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, n, 's' AS s, timestamp '2026-01-01' AS at "
                    "FROM range(4) t(n)", "uid: id\n" + GOOD)  # fmt: skip
    entry = warehouse.one()
    assert entry.reached is Tier.GOOD
    assert [round(each.score, 4) for each in entry.tiers] == [1.0, 0.5455, 0.5]


@pytest.mark.parametrize(
    ("field", "attribute"),
    [("last_seen_at", "last_login"), ("lastLogin", "last_login"), ("trips", "past_trips"),
     ("Reviews_Count", "previous_reviews"), ("tags", "labels")],
)  # fmt: skip
def test_a_field_is_known_by_its_synonyms_in_any_spelling(
    warehouse: Warehouse, field: str, attribute: str
) -> None:
    warehouse.users("SELECT 1 AS id, 5 AS v", f"uid: id\n{field}: v")
    line = _found(warehouse, attribute)
    assert (line.field, line.status) == (field, Status.COVERED)


def test_the_fuller_of_two_fields_counts(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, nullif(n, 1) AS a, n AS b FROM range(2) t(n)",
                    "uid: id\nlast_login: a\nlast_seen_at: b")  # fmt: skip
    assert _found(warehouse, "last_login").field == "last_seen_at"


def test_an_alias_decides_which_field_counts(warehouse: Warehouse) -> None:
    warehouse.users("SELECT 1 AS id, NULL::INTEGER AS a, 2 AS b", "uid: id\nage: b\nyears: a",
                    "coverage: {aliases: {age: years}}\n")  # fmt: skip
    line = _found(warehouse, "age")
    assert (line.field, line.status) == ("years", Status.MISSING)


def test_min_fill_is_the_mappings_own(warehouse: Warehouse) -> None:
    warehouse.users("SELECT n AS id, nullif(n % 5, 0) AS v FROM range(10) t(n)",
                    "uid: id\nage: v", "coverage: {min_fill: 0.9}\n")  # fmt: skip
    assert _found(warehouse, "age").status is Status.SPARSE


@pytest.mark.parametrize(
    ("attribute", "event_type"),
    [("dwell_time", "dwell_time"), ("scroll_depth", "scroll"), ("review_click", "review_click"),
     ("push_notifications", "Push-Open"), ("email_campaign", "email_opened"),
     ("outbound_click", "outbound_click"), ("partial_form_fills", "form_abandoned")],
)  # fmt: skip
def test_events_of_a_type_provide_an_attribute_however_few(
    warehouse: Warehouse, attribute: str, event_type: str
) -> None:
    warehouse.events(
        "app",
        "SELECT 'e' || n AS id, timestamp '2026-01-01' AS at, 'u' AS uid, "
        f"CASE WHEN n = 0 THEN '{event_type}' ELSE 'other' END AS name, 5 AS ms "
        "FROM range(50) t(n)",
        EVENT + "dwell_ms: ms",
        "type: {expr: name}\n",
    )
    line = _found(warehouse, attribute)
    assert (line.event_type, line.status, line.of) == (event_type, Status.COVERED, 1) or (
        attribute == "dwell_time" and line.field == "dwell_ms"
    )


def test_clicks_on_reviews_are_known_by_their_click_type(warehouse: Warehouse) -> None:
    warehouse.events(
        "clicks",
        "SELECT 'e' || n AS id, timestamp '2026-01-01' AS at, 'u' AS uid, 'i' AS item, "
        "CASE n WHEN 0 THEN 'open_review' WHEN 1 THEN 'preview' ELSE 'open' END AS what "
        "FROM range(9) t(n)",
        EVENT + "item_id: item\nclick_type: what",
    )
    line = _found(warehouse, "review_click")
    assert (line.field, line.event_type, line.filled) == ("click_type", "click", 1)
    assert _found(warehouse, "outbound_click").status is Status.MISSING


def test_page_views_do_not_pass_for_scrolls(warehouse: Warehouse) -> None:
    warehouse.events("views", "SELECT 'e' AS id, timestamp '2026-01-01' AS at, 'u' AS uid, "
                     "'home' AS p", EVENT + "page_type: p", "type: page_view\n")  # fmt: skip
    assert {each.attribute for each in warehouse.one().attributes if each.filled} == set()


def test_locale_and_language_are_one_attribute(warehouse: Warehouse) -> None:
    for number, field in enumerate(("locale", "language")):
        name = f"views{number}"
        warehouse.events(name, "SELECT 'e' AS id, timestamp '2026-01-01' AS at, 'u' AS uid, "
                         "'nb' AS l", f"{EVENT}{field}: l", "type: view\n")  # fmt: skip
    found = [
        each.field
        for entry in warehouse.cover().mappings
        for each in entry.attributes
        if each.attribute == "locale/language"
    ]
    assert found == ["locale", "language"]


def test_fields_of_one_event_type_count_over_all_events(warehouse: Warehouse) -> None:
    warehouse.events(
        "app",
        "SELECT 'e' || n AS id, timestamp '2026-01-01' AS at, 'u' AS uid, "
        "if(n < 3, 'search', 'other') AS name, 'tent' AS q FROM range(10) t(n)",
        EVENT,
        "type: {expr: name}\ntypes: {search: {fields: {search_query: q}}}\n",
    )
    assert _found(warehouse, "search_query").fill == pytest.approx(0.3)


def test_a_tier_that_a_mapping_requires_and_misses_makes_the_run_fail(
    warehouse: Warehouse,
) -> None:
    warehouse.users("SELECT 1 AS id", "uid: id", "coverage: {require: good}\n")
    report = warehouse.cover()
    assert report.exit_code == 1
    assert report.mappings[0].short_of is Tier.GOOD


def test_an_empty_table_reaches_nothing(warehouse: Warehouse) -> None:
    warehouse.users("SELECT 1 AS id, 2 AS age WHERE false", "uid: id\nage: age")
    entry = warehouse.one()
    assert (entry.rows, entry.reached) == (0, None)
    assert all(each.fill == 0 for each in entry.attributes)


def test_synonyms_and_clues_speak_of_attributes_there_are() -> None:
    known = {
        name
        for kind in (Kind.USERS, Kind.EVENTS)
        for name in (*(each.name for each in attributes_of(kind)), *recommended_for(kind))
    }
    assert set(FIELD_SYNONYMS) <= known
    assert {clue.attribute for clues in CLUES.values() for clue in clues} <= known


def test_no_name_provides_two_attributes_of_one_tier_table() -> None:
    for kind in (Kind.USERS, Kind.EVENTS):
        names = [
            plain(name)
            for each in attributes_of(kind)
            for name in FIELD_SYNONYMS.get(each.name, ())
        ]
        assert len(names) == len(set(names))
