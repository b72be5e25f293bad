"""The columns that nothing was found for: offered as comments, or sent to tell rows apart."""

from __future__ import annotations

import pyarrow as pa

from connector.drafting import names
from connector.drafting.events import table_words
from connector.drafting.sketch import Entry, Sketch
from connector.drafting.table import Column, Table
from connector.mapping.bind import Binder
from connector.mapping.canonical import UnconvertibleError
from connector.mapping.conversion import convert
from connector.mapping.mapping import Mapping, Pii
from connector.mapping.rules import NEVER_SENT, OVERWRITTEN, USER_FIELDS, FieldType, Kind

_SETTLED = {
    Kind.USERS: {*USER_FIELDS, *NEVER_SENT[Kind.USERS]},
    Kind.EVENTS: {
        "id", "type", "original_timestamp", "server_timestamp", "uid", "sid", "cid",
        *NEVER_SENT[Kind.EVENTS],
    },
}  # fmt: skip
"""Names that mean more to the platform than a column called so is likely to."""

_ALSO = "What else the row says"


def offer_the_rest(sketch: Sketch, table: Table, mapping: Mapping, columns: pa.Schema) -> None:
    """Make a line of every column that has none. Events without an id of their own send them all:
    rows that differ only there would be one event."""
    derived = sketch.kind is Kind.EVENTS and not sketch.has("id")
    binder = Binder(mapping, columns)
    try:
        for column in table.columns:
            if column.name not in sketch.used | sketch.claimed:
                _offer(sketch, table, column, binder, derived=derived)
    finally:
        binder.close()


def _offer(sketch: Sketch, table: Table, column: Column, binder: Binder, *, derived: bool) -> None:
    name = _field_name(sketch, column)
    if name in OVERWRITTEN[sketch.kind]:
        return
    if not column.filled:
        sketch.left_out[column.name] = "empty in the rows looked at"
        return
    if table.is_direct(column):
        hashed = Entry(f"{name}_hash", column.name, columns=(column.name,), pii=Pii.HASH)
        sketch.personal.append(hashed)
        return
    entry = Entry(name, table.tidy(column), _declared(table, column), (column.name,))
    reason = _misfit(binder, entry)
    if reason is not None:
        sketch.left_out[column.name] = reason
    elif table.is_personal(column):
        sketch.personal.append(entry)
    elif derived and not (names.NOT_THE_TIME.fullmatch(column.words) and table.is_time(column)):
        sketch.add(_ALSO, entry)
    else:
        sketch.offers.append(entry)


def _field_name(sketch: Sketch, column: Column) -> str:
    """A name of its own that means nothing else to the platform."""
    name = names.field_name(column.name)
    if name in OVERWRITTEN[sketch.kind]:
        return name
    if name in _SETTLED[sketch.kind] or sketch.has(name):
        name = f"{names.singular(table_words(sketch.table))}_{name}"
    number = 2
    unique = name
    while sketch.has(unique):
        unique, number = f"{name}_{number}", number + 1
    return unique


def _declared(table: Table, column: Column) -> FieldType | None:
    """Texts that are times by name and by content."""
    named = any(True for each in table.matching(names.TIME, "text") if each.name == column.name)
    return FieldType.TIME if named and table.is_time(column) else None


def _misfit(binder: Binder, entry: Entry) -> str | None:
    """Why no field can be made of it as it is."""
    bound = binder.field(entry.as_field(binder.mapping.place))
    if bound is None:
        problem = binder.problems.pop()
        return problem.hint or problem.message
    try:
        convert(bound.value.type, bound.type, bound.value.sql, "UTC")
    except UnconvertibleError as error:
        return f"{error.message}; {error.hint}"
    return None
