"""Mapping files that are right, and what they become."""

from datetime import timedelta

import pytest

from connector.errors import Place
from connector.mapping.mapping import (
    Constant,
    Coverage,
    Expression,
    Guards,
    Mapping,
    Missing,
    OnInvalid,
    Pii,
    WithoutConsent,
)
from connector.mapping.rules import FieldType, Kind
from tests.support.project_folder import PROJECT, ProjectFolder
from tests.unit.mapping_yaml.examples import CLICKS, MANY_TYPES, RECOMMENDATIONS, USERS


def at(place: Place | None) -> tuple[int, int]:
    assert place is not None
    return place.line, place.column


def load(folder: ProjectFolder, text: str) -> Mapping:
    folder.write("m.yaml", text)
    project = folder.load()
    assert not project.warnings
    (mapping,) = project.mappings
    return mapping


def test_a_users_mapping_carries_all_it_says(folder: ProjectFolder) -> None:
    mapping = load(folder, USERS)
    assert (mapping.name, mapping.kind, mapping.source) == ("users", Kind.USERS, "warehouse")
    assert (mapping.table, mapping.query) == ("analytics.dim_users", None)
    assert at(mapping.read_place) == (5, 8)
    assert mapping.where == "is_test = false"
    fields = {field.name: field for field in mapping.fields}
    assert list(fields)[:3] == ["uid", "country", "created_at"]
    assert isinstance(fields["country"].value, Expression)
    assert fields["country"].value.sql == "upper(country_code)"
    assert at(fields["country"].value.place) == (9, 12)
    assert at(fields["country"].place) == (9, 3)
    assert at(fields["total_orders"].value.place) == (13, 25)
    assert fields["preferred_categories"].type is FieldType.STRINGS
    assert fields["email_hash"].pii is Pii.HASH
    assert isinstance(fields["plan"].value, Constant)
    assert fields["plan"].value.value == "gold"
    assert mapping.deletes.missing is Missing.SOFT
    assert mapping.deletes.soft_when is not None
    assert mapping.deletes.soft_when.sql == "status = 'closed'"
    assert mapping.deletes.hard_when is not None
    assert mapping.deletes.erasures is not None
    assert mapping.deletes.erasures.source == "warehouse"
    assert mapping.deletes.guards == Guards(0.15, None, 1000)
    assert mapping.consent is not None
    assert mapping.consent.otherwise is WithoutConsent.SKIP
    assert mapping.coverage == Coverage("good", 0.5, (("previous_reviews", "total_orders"),))
    assert mapping.keep_payload
    assert (mapping.schedule, mapping.tags, mapping.owners) == (
        "0 * * * *", ("core",), ("data-team",)
    )  # fmt: skip
    assert (mapping.max_reject_percent, mapping.engine) == (2.0, "duckdb")


def test_an_events_mapping_carries_all_it_says(folder: ProjectFolder) -> None:
    mapping = load(folder, CLICKS)
    assert (mapping.name, mapping.kind) == ("m", Kind.EVENTS)
    assert isinstance(mapping.event_type, Constant)
    assert mapping.event_type.value == "click"
    assert at(mapping.event_type.place) == (4, 7)
    assert (mapping.cursor, mapping.lookback) == ("occurred_at", timedelta(days=3))


def test_one_table_can_hold_many_event_types(folder: ProjectFolder) -> None:
    mapping = load(folder, MANY_TYPES)
    assert isinstance(mapping.event_type, Expression)
    assert mapping.event_type.sql == "event_name"
    assert mapping.query == "select *\nfrom analytics.events\n"
    assert at(mapping.read_place) == (4, 3)
    click, impression, wishlist = mapping.types
    assert click.filter is not None
    assert [field.name for field in click.fields] == ["click_type"]
    assert [field.name for field in impression.fields] == ["rank"]
    assert (wishlist.name, wishlist.fields, wishlist.filter) == ("wishlist", (), None)


def test_a_recommendations_mapping_carries_all_it_says(folder: ProjectFolder) -> None:
    recommendation = load(folder, RECOMMENDATIONS).recommendation
    assert recommendation is not None
    assert (recommendation.model_id, recommendation.limit) == ("test_model_item_200", 10)
    assert recommendation.write_to is not None
    assert recommendation.write_to.table == "analytics.recommendations"
    assert recommendation.write_to.source == "warehouse"


def test_answers_can_go_to_a_file_beside_the_project(folder: ProjectFolder) -> None:
    text = RECOMMENDATIONS.replace("{table: analytics.recommendations}", "{path: out/recs.parquet}")
    recommendation = load(folder, text).recommendation
    assert recommendation is not None
    assert recommendation.write_to is not None
    assert recommendation.write_to.path == str(folder.path.parent.absolute() / "out/recs.parquet")


def test_scalars_in_the_short_form_of_a_field_are_expressions(folder: ProjectFolder) -> None:
    text = CLICKS + "  logged_in: true\n  rank: 3\n  NO: NO\n"
    values = {field.name: field.value for field in load(folder, text).fields}
    assert [getattr(values[name], "sql", None) for name in ("logged_in", "rank", "NO")] == [
        "true", "3", "NO"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("3", 3),
        ("1.5", 1.5),
        ("true", True),
        ("gold", "gold"),
        ('"1"', "1"),
        ("[a, b]", ("a", "b")),
        ("[]", ()),
        (str(2**53), 2**53),
    ],
)
def test_constants_keep_their_type(folder: ProjectFolder, written: str, meant: object) -> None:
    value = load(folder, CLICKS + f"  x: {{value: {written}}}\n").fields[-1].value
    assert isinstance(value, Constant)
    assert value.value == meant
    assert type(value.value) is type(meant)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30),
        ("90 minutes", 5400),
        ("6h", 21600),
        ("1d", 86400),
        ("1.5 hours", 5400),
        ("2 weeks", 1209600),
        ("1 day", 86400),
    ],
)
def test_durations_are_a_number_and_a_unit(
    folder: ProjectFolder, written: str, seconds: int
) -> None:
    mapping = load(folder, CLICKS.replace("3 days", written))
    assert mapping.lookback == timedelta(seconds=seconds)


def test_on_invalid_of_a_field_wins_over_the_mappings_and_that_over_the_projects(
    folder: ProjectFolder,
) -> None:
    folder.write("project.yaml", PROJECT + "defaults: {on_invalid: drop_field}\n")
    by_default = load(folder, CLICKS + "  a: {expr: a, on_invalid: reject}\n")
    assert by_default.fields[0].on_invalid is OnInvalid.DROP_FIELD
    assert by_default.fields[-1].on_invalid is OnInvalid.REJECT
    by_mapping = load(folder, CLICKS + "on_invalid: reject\n")
    assert by_mapping.fields[0].on_invalid is OnInvalid.REJECT


def test_guards_are_taken_one_by_one_from_the_mapping_and_the_project(
    folder: ProjectFolder,
) -> None:
    folder.write(
        "project.yaml",
        PROJECT + "defaults: {max_reject_percent: 5, deletes: {guards: {max_deletes: 7}}}\n",
    )
    text = USERS.replace("guards: {max_delete_fraction: 0.15, max_deletes: null, ", "guards: {")
    mapping = load(folder, text.replace("max_erasures: 1000", "max_erasures: null"))
    assert mapping.deletes.guards == Guards(0.15, 7, None)
    assert mapping.max_reject_percent == 2.0
    assert load(folder, USERS).deletes.guards.max_deletes is None
