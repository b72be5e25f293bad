from __future__ import annotations

from pathlib import Path

from connector.errors import Place
from connector.mapping.lineage import columns_read
from connector.mapping.mapping import Constant, EventType, Expression, Field, Mapping
from connector.mapping.rules import Kind

PLACE = Place(Path("clicks.yaml"))


def field(name: str, sql: str) -> Field:
    return Field(name, Expression(sql, PLACE), PLACE)


def test_each_field_names_the_columns_behind_it_and_no_source_is_asked() -> None:
    mapping = Mapping(
        name="clicks",
        kind=Kind.EVENTS,
        place=PLACE,
        source="nowhere",
        table="clicks",
        event_type=Expression("lower(event_name)", PLACE),
        fields=(
            field("uid", "user_id"),
            field("total", "price * coalesce(quantity, 1) + price"),
            Field("plan", Constant("gold", PLACE), PLACE),
            field("odd", "Order Number"),
        ),
        types=(EventType("click", PLACE, (field("uid", "coalesce(login, user_id)"),)),),
    )
    assert columns_read(mapping) == {
        "type": ("event_name",),
        "uid": ("user_id", "login"),
        "total": ("price", "quantity"),
        "plan": (),
        "odd": ("Order Number",),
    }
