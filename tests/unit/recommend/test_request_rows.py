"""What a row of a recommendations mapping becomes: a request, or a reason why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector.errors import ConfigError
from connector.mapping.compile import compile_mapping
from tests.support.project_folder import ProjectFolder

MAPPING = """\
kind: recommendations
source: warehouse
table: asks
{settings}
fields: {fields}
write_to: {{table: recs}}
"""


class Compiler:
    def __init__(self, folder: Path) -> None:
        self.folder = ProjectFolder(folder)

    def __call__(
        self, row: str, fields: str, settings: str = "model_id: m"
    ) -> list[tuple[dict[str, Any], str | None]]:
        """The request of each row of a query, and the code of what is wrong with it."""
        self.folder.write("recs.yaml", MAPPING.format(settings=settings, fields=fields))
        mapping = self.folder.load().mapping("recs")
        with duckdb.connect(config={"arrow_lossless_conversion": True}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"CREATE TABLE source AS {row}")
            schema = connection.sql("FROM source LIMIT 0").to_arrow_table().schema
            chain = compile_mapping(mapping, schema).chain
            found = connection.execute(
                f"SELECT p.payload, s.violation FROM ({chain.scan()}) s "  # noqa: S608 - ours
                f"JOIN ({chain.payloads('true')}) p ON p.row = s.row ORDER BY s.row"
            ).fetchall()
        return [
            (json.loads(payload), number and chain.violations[number - 1].code)
            for payload, number in found
        ]


@pytest.fixture
def compiled(tmp_path: Path) -> Compiler:
    return Compiler(tmp_path)


def test_a_row_becomes_the_documented_request(compiled: Compiler) -> None:
    (found,) = compiled(
        "SELECT 'u1' AS u, 's1' AS s, ['a', 'b'] AS c, 'US-CA' AS r",
        "{user_id: u, session_id: s, item_ids: c, context: \"{'user_region': r}\"}",
        "model_id: model_x\nlimit: 10",
    )
    assert found == (
        {
            "user_id": "u1",
            "session_id": "s1",
            "item_ids": ["a", "b"],
            "model_id": "model_x",
            "limit": 10,
            "context": {"user_region": "US-CA"},
        },
        None,
    )


def test_what_is_null_is_left_out_and_old_accounts_name_their_model(compiled: Compiler) -> None:
    (found,) = compiled(
        "SELECT NULL::VARCHAR AS u, 's1' AS s, ['a'] AS c, NULL::STRUCT(a INT) AS r",
        "{user_id: u, session_id: s, item_ids: c, context: r}",
        "model_name: 'old \"one\"'",
    )
    assert found == ({"session_id": "s1", "item_ids": ["a"], "model_name": 'old "one"'}, None)


ITEMS = [
    {"id": "a", "attributes": {"price": 9.5, "stock": 3, "sale": True, "tags": ["x", "y"]}},
    {"id": "7"},
]


@pytest.mark.parametrize(
    "candidates",
    [
        # As structs, nested and flat; what is null is no attribute.
        "[{'id': 'a', 'attributes': {'price': 9.5, 'stock': 3, 'sale': true, 'tags': ['x', 'y'],"
        " 'off': NULL}}, {'id': '7', 'attributes': NULL}]",
        "[{'id': 'a', 'price': 9.5, 'stock': 3, 'sale': true, 'tags': ['x', 'y'], 'off': NULL},"
        " {'id': '7', 'price': NULL, 'stock': NULL, 'sale': NULL, 'tags': NULL, 'off': NULL}]",
        # As JSON, the same, as other warehouses have it.
        '\'[{"id":"a","attributes":{"price":9.5,"stock":3,"sale":true,'
        '"tags":["x","y"],"off":null}},{"id":7}]\'',
        '\'[{"id":"a","price":9.5,"stock":3,"sale":true,'
        '"tags":["x","y"],"off":null},{"id":7,"attributes":null}]\'::JSON',
    ],
)
def test_items_come_as_structs_or_json_nested_or_flat(compiled: Compiler, candidates: str) -> None:
    ((request, code),) = compiled(f"SELECT 'u' AS u, {candidates} AS c", "{user_id: u, items: c}")
    assert code is None
    assert request["items"] == ITEMS


def test_items_may_be_gathered_from_one_row_a_candidate(compiled: Compiler) -> None:
    found = compiled(
        "SELECT u, list({'id': sku, 'price': price} ORDER BY sku) AS c FROM (VALUES "
        "('u1', 'a', 1.5), ('u1', 'b', 2.5), ('u2', 'c', 3.5)) AS t(u, sku, price) "
        "GROUP BY u ORDER BY u",
        "{user_id: u, items: c}",
    )
    assert [request["items"] for request, _ in found] == [
        [{"id": "a", "attributes": {"price": 1.5}}, {"id": "b", "attributes": {"price": 2.5}}],
        [{"id": "c", "attributes": {"price": 3.5}}],
    ]


def test_times_among_attributes_are_spelled_as_everywhere(compiled: Compiler) -> None:
    ((request, code),) = compiled(
        "SELECT 'u' AS u, [{'id': 'a', 'seen': TIMESTAMP '2026-03-01 12:00:00'}] AS c",
        "{user_id: u, items: c}",
    )
    assert code is None
    assert request["items"][0]["attributes"] == {"seen": "2026-03-01T12:00:00.000Z"}


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ("[]", "no_items"),
        ("null", "no_items"),
        ('{"id":"a"}', "not_items"),
        ("nonsense", "not_items"),
        ('["a"]', "bad_item"),
        ("[null]", "bad_item"),
        ('[{"price":1}]', "bad_item"),
        ('[{"id":""}]', "bad_item"),
        ('[{"id":1.5}]', "bad_item"),
        ('[{"id":"a","attributes":"x"}]', "bad_item"),
        ('[{"id":"a","attributes":{},"price":1}]', "bad_item"),
        ('[{"id":"a","size":{"w":1}}]', "bad_attribute"),
        ('[{"id":"a","sizes":[1,2]}]', "bad_attribute"),
        ('[{"id":"a","tags":["x",null]}]', "bad_attribute"),
        ('[{"id":"a","n":9007199254740993}]', "integer_too_large"),
        ('[{"id":"a","n":NaN}]', "not_finite"),
        (json.dumps([{"id": "a", "text": "x" * 16_385}]), "too_long"),
        ('[{"id":"a","mail":"someone@example.com"}]', "direct_pii"),
        ('[{"id":"a","n":9007199254740992,"t":""}]', None),
    ],
)
def test_a_list_of_items_that_cannot_be_sent_costs_its_row(
    compiled: Compiler, items: str, code: str | None
) -> None:
    quoted = items.replace("'", "''")
    ((_, found),) = compiled(f"SELECT 'u' AS u, '{quoted}' AS c", "{user_id: u, items: c}")
    assert found == code


def test_a_null_in_a_list_of_texts_is_found_in_structs_too(compiled: Compiler) -> None:
    ((_, code),) = compiled(
        "SELECT 'u' AS u, [{'id': 'a', 'tags': ['x', NULL]}] AS c", "{user_id: u, items: c}"
    )
    assert code == "bad_attribute"


@pytest.mark.parametrize(
    ("user", "session", "items", "code"),
    [
        ("NULL", "NULL", "['a']", "no_identity"),
        ("''", "NULL", "['a']", "unaddressable_key"),
        ("'..'", "NULL", "['a']", "unaddressable_key"),
        ("'u'", "''", "['a']", "empty"),
        ("'u'", "NULL", "[]::VARCHAR[]", "no_items"),
        ("'u'", "NULL", "NULL::VARCHAR[]", "no_items"),
        ("'u'", "NULL", "['a', '']", "bad_item"),
        ("'u'", "NULL", "['a', NULL]", "not_strings"),
        ("NULL", "'s'", "['a']", None),
    ],
)
def test_a_row_that_is_no_request_says_why(
    compiled: Compiler, user: str, session: str, items: str, code: str | None
) -> None:
    ((_, found),) = compiled(
        f"SELECT {user}::VARCHAR AS u, {session}::VARCHAR AS s, {items} AS c",
        "{user_id: u, session_id: s, item_ids: c}",
    )
    assert found == code


@pytest.mark.parametrize(
    ("row", "fields", "said"),
    [
        (
            "SELECT 'u' AS u, ['a'] AS c",
            "{user_id: u, items: c}",
            "'items' is VARCHAR[], which cannot be sent as array<object>",
        ),
        (
            "SELECT 'u' AS u, 1 AS c",
            "{user_id: u, items: c}",
            "'items' is INTEGER, which cannot be sent as array<object>",
        ),
        (
            "SELECT 1.5::DOUBLE AS u, ['a'] AS c",
            "{user_id: u, item_ids: c}",
            "'user_id' is DOUBLE; a key is text or an integer",
        ),
    ],
)
def test_a_column_that_can_never_be_sent_is_a_mistake_in_the_mapping(
    compiled: Compiler, row: str, fields: str, said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        compiled(row, fields)
    assert said in str(raised.value)
