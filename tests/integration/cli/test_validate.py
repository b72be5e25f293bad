"""`connector validate` shows every mistake of a project at once."""

import pytest

from tests.support.shop import PROJECT, Shop


def mistakes(shop: Shop) -> list[str]:
    """What is wrong, as it is printed, in the order of the files."""
    outcome = shop("validate", "--json")
    assert outcome.code == 1
    assert not all(each["valid"] for each in outcome.json["mappings"])
    return [
        f"{each['file'].removeprefix('mappings/')}:{each['line']} {each['message'].split(':')[0]}"
        for each in outcome.json["problems"]
    ]


def test_expressions_are_bound_where_other_parts_of_the_file_have_mistakes(shop: Shop) -> None:
    shop.files.write(
        "users.yaml",
        """\
        kind: users
        source: warehouse
        table: users
        scedule: "0 * * * *"
        fields:
          uid: id
          country: upper(country
          language: contry
          total_orders: {expr: orders, kind: [number]}
        deletes: {soft_when: orders}
        consent: {when: no_such_column}
        """,
    )
    assert mistakes(shop) == [
        "users.yaml:4 unknown key 'scedule'",
        'users.yaml:7 syntax error at or near "country"',
        "users.yaml:8 'contry' is no column of users",
        "users.yaml:9 unknown key 'kind'",
        "users.yaml:10 `soft_when` is BIGINT, not true or false",
        "users.yaml:11 'no_such_column' is no column of users",
    ]


def test_mistakes_of_other_files_do_not_hide_those_of_an_expression(shop: Shop) -> None:
    shop.files.write("project.yaml", PROJECT.format(url=shop.sandbox.base_url) + "colour: red\n")
    shop.files.write(
        "users.yaml", "kind: users\nsource: warehouse\ntable: users\nfields: {uid: ii}\n"
    )
    shop.files.write(
        "other.yaml", "kind: users\nsource: warehose\ntable: users\nfields: {uid: ]}\n"
    )
    shop.files.write(
        "third.yaml", "kind: users\nsource: warehose\ntable: users\nfields: {uid: id}\n"
    )
    assert [each.partition(" ")[0] for each in mistakes(shop)] == [
        "other.yaml:4", "project.yaml:7", "third.yaml:2", "users.yaml:4",
    ]  # fmt: skip


def test_a_variable_that_is_not_set_hides_no_other_mistake(shop: Shop) -> None:
    shop.files.write(
        "users.yaml",
        """\
        kind: users
        source: warehouse
        table: users
        fields:
          uid: ${NO_SUCH_COLUMN}
          country: contry
        """,
    )
    assert mistakes(shop) == [
        "users.yaml:5 the environment variable NO_SUCH_COLUMN is not set",
        "users.yaml:6 'contry' is no column of users",
    ]


def test_a_source_that_is_away_leaves_the_mistakes_of_the_files(shop: Shop) -> None:
    (shop.folder / "warehouse.duckdb").unlink()
    shop.files.write(
        "users.yaml", "kind: users\nsource: warehouse\ntable: users\nfieds: {uid: x}\n"
    )
    outcome = shop("validate")
    assert outcome.code == 1
    assert "unknown key 'fieds'" in outcome.err
    assert outcome.err.count("warehouse.duckdb") == 1


def test_addresses_and_numbers_in_the_data_are_found_before_the_first_sync(shop: Shop) -> None:
    shop.sql(
        "create table visits as select 'v_' || n as id, 'u_1' as uid, now()::timestamp as at, "
        "'see ' || CASE WHEN n < 3 THEN 'ann@b.no' ELSE 'you' END as note, ['+47 400 12 345'] as l,"
        "{'deep': 'bob@c.no'} as o, 'd@e.no' as allowed, CASE WHEN n < 5 THEN 'tour' ELSE 'f@g.no' "
        "END as told, CASE WHEN n < 5 THEN 'tour' ELSE 'meal' END as kind from range(10) as t(n)"
    )
    shop.files.write(
        "visits.yaml",
        """\
        kind: events
        source: warehouse
        table: visits
        type: {expr: kind}
        fields:
          id: id
          original_timestamp: at
          uid: uid
          note: note
          numbers: l
          nested: {expr: o, type: object}
          fine: {expr: allowed, pii: allow}
        types:
          tour: {fields: {told: told}}
        """,
    )
    assert mistakes(shop) == [
        "visits.yaml:9 'note' holds e-mail addresses (3 of the first rows do)",
        "visits.yaml:10 'numbers' holds telephone numbers (10 of the first rows do)",
        "visits.yaml:11 'nested' holds e-mail addresses (10 of the first rows do)",
    ]


def test_a_mapped_is_deleted_is_valid(shop: Shop) -> None:
    shop.files.write(
        "users.yaml",
        "kind: users\nsource: warehouse\ntable: users\n"
        "fields: {uid: id, country: country, is_deleted: orders > 5}\n",
    )
    outcome = shop("validate")
    assert outcome.code == 0, outcome.err
    assert "ok      users" in outcome.out


def test_a_file_that_is_no_yaml_is_told_though_it_be_the_only_one(shop: Shop) -> None:
    for file in shop.files.path.glob("*.yaml"):
        if file.name != "project.yaml":
            file.unlink()
    shop.files.write("users.yaml", "kind: users\nfields: {uid: ]}\n")
    for arguments in ((), ("--select", "users")):
        outcome = shop("validate", *arguments)
        assert outcome.code == 1
        assert "users.yaml:2" in outcome.err
        assert "no mappings" not in outcome.err


def test_a_mapping_that_cannot_be_read_is_told_where_it_is_selected(shop: Shop) -> None:
    shop.files.write("broken.yaml", "kind: users\nfields: {uid: ]}\n")
    outcome = shop("validate", "--select", "broken")
    assert outcome.code == 1
    assert "broken.yaml:2" in outcome.err
    assert "no mapping matches 'broken'" in outcome.err


@pytest.mark.parametrize("column", ["id", "no_such_column"])
def test_a_cursor_that_is_none_is_told_where_it_stands(shop: Shop, column: str) -> None:
    shop.files.write(
        "clicks.yaml",
        f"kind: events\nsource: warehouse\ntable: users\ntype: scroll\ncursor: {column}\n"
        "fields: {uid: id, original_timestamp: now()}\n",
    )
    outcome = shop("validate", "--select", "clicks", "--json")
    (problem,) = outcome.json["problems"]
    assert (problem["line"], problem["column"]) == (5, 9)
    assert column in problem["message"]
