"""Which columns of the source a mapping reads, from its expressions alone: no source is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from connector.mapping.expression import ExpressionError, Parser
from connector.mapping.fields import TYPE
from connector.mapping.mapping import Constant, Expression, Field, Mapping
from connector.mapping.scratch import scratch


def columns_read(mapping: Mapping) -> dict[str, tuple[str, ...]]:
    """The columns behind each field that is sent, as the expressions spell them.

    A field of several event types has those of all its expressions; a constant has none. An
    expression that does not parse stands for a column of that name.
    """
    found: dict[str, dict[str, None]] = {}
    with closing(scratch()) as connection:
        parser = Parser(connection)
        for name, field in sent_fields(mapping):
            found.setdefault(name, {}).update(dict.fromkeys(_columns(parser, field.value)))
    return {name: tuple(columns) for name, columns in found.items()}


def sent_fields(mapping: Mapping) -> Iterator[tuple[str, Field]]:
    """Every field of a mapping by its name, the type of events included."""
    if mapping.event_type is not None:
        yield TYPE, Field(TYPE, mapping.event_type, mapping.event_type.place)
    for field in mapping.fields:
        yield field.name, field
    for event_type in mapping.types:
        for field in event_type.fields:
            yield field.name, field


def _columns(parser: Parser, value: Expression | Constant) -> list[str]:
    if isinstance(value, Constant):
        return []
    try:
        return [use.name for use in parser.parse(value.sql).columns]
    except ExpressionError:
        # A column of any name may stand for itself; what is no expression either is said by
        # `validate`, with its place, once the columns are known.
        return [value.sql.strip()]
