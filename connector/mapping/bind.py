"""Binding: a mapping's expressions against the columns that its source really has."""

from __future__ import annotations

import linecache
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from connector.errors import ConfigError, Place, Problem, first_line
from connector.mapping.conversion import infer
from connector.mapping.expression import ColumnUse, ExpressionError, Parser
from connector.mapping.mapping import Constant, Expression, Field, Mapping, Pii
from connector.mapping.rules import ALLOWED_TYPES, RESERVED, FieldType
from connector.mapping.scratch import scratch
from connector.sql import identifier, literal

KEYWORD_VALUES = {
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
}
"""What SQL calls by name, without parentheses, where no column has that name."""


@dataclass(frozen=True, slots=True)
class Value:
    """An expression as it will stand in SQL, and the DuckDB type it has."""

    sql: str
    type: DuckDBPyType


@dataclass(frozen=True, slots=True)
class BoundField:
    """One field with its expression bound; `only_for` names the event types it belongs to."""

    field: Field
    value: Value
    type: FieldType
    only_for: str | None = None


class Binder:
    """Binds expressions of one mapping, collecting every problem instead of stopping at one.

    `columns` are the source's, as its reader yields them; `used` grows by what expressions read.
    """

    def __init__(self, mapping: Mapping, columns: pa.Schema) -> None:
        self.mapping = mapping
        self.problems: list[Problem] = []
        self._connection = scratch()
        # A reader, for an empty table is more than pyarrow can make of some nested types.
        self._connection.register("incoming", pa.RecordBatchReader.from_batches(columns, []))
        self._connection.execute("CREATE TEMP TABLE source AS FROM incoming")
        self._connection.unregister("incoming")
        self._parser = Parser(self._connection)
        self._columns = {folded(name): name for name in columns.names}
        self._ambiguous = {
            name for name, count in Counter(map(folded, columns.names)).items() if count > 1
        }
        self._used: set[str] = set()

    @property
    def used(self) -> tuple[str, ...]:
        """The columns that must be read, in the source's order."""
        return tuple(name for name in self._columns.values() if name in self._used)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def problem(self, place: Place, message: str, hint: str | None = None) -> None:
        """Note a mistake and go on."""
        self.problems.append(Problem(place, message, hint))

    def column(self, name: str, place: Place) -> Value | None:
        """A column of the source by its plain name."""
        return self.value(Expression(identifier(name), place))

    def value(self, given: Expression | Constant) -> Value | None:
        """Bind an expression, or spell a constant; None when it has a problem."""
        if isinstance(given, Constant):
            return Value(*self._constant(given))
        name = given.sql.strip()
        if folded(name) in self._columns:
            # A column's plain name means the column, though it be a reserved word or hold spaces.
            known = self._use(ColumnUse(name, 0), given)
            return self._bind(identifier(name), given.place) if known else None
        try:
            parsed = self._parser.parse(given.sql)
        except ExpressionError as error:
            self.problem(place_within(given, error.offset), error.message, error.hint)
            return None
        uses = [self._use(use, given) for use in parsed.columns]
        return self._bind(parsed.sql, given.place) if all(uses) else None

    def _use(self, use: ColumnUse, given: Expression) -> bool:
        """Note that a column is read; False where it cannot be."""
        column = folded(use.name)
        name = self._columns.get(column)
        if name is None:
            if column in KEYWORD_VALUES:
                return True
            message, hint = self._unknown(use.name)
        elif column in self._ambiguous:
            message = f"{use.name!r} is the name of several columns, which differ only by case"
            hint = "give them other names in a `query`"
        elif column == "rowid":
            message = f"{use.name!r} cannot be read: it is also DuckDB's own name for a row"
            hint = "give it another name in a `query`"
        else:
            self._used.add(name)
            return True
        self.problem(place_within(given, use.offset), message, hint)
        return False

    def flag(self, given: Expression | Constant, what: str) -> str | None:
        """Bind a condition; null is false."""
        value = self.value(given)
        if value is None:
            return None
        if value.type.id.lower() not in {"boolean", "null"}:
            self.problem(given.place, f"{what} is {value.type}, not true or false")
            return None
        return f"coalesce({value.sql}, false)"

    def field(self, field: Field, only_for: str | None = None) -> BoundField | None:
        """Bind a field and settle its type; None when it has a problem."""
        value = self.value(field.value)
        if value is None:
            return None
        type_ = self._type(field, value.type)
        if type_ is None:
            return None
        allowed = ALLOWED_TYPES[self.mapping.kind]
        if type_ not in allowed:
            self.problem(
                field.place,
                f"{field.name!r} is {value.type}, an object; {self.mapping.kind} have none",
                "take single values out of it, or declare another `type:`",
            )
            return None
        return BoundField(field, value, type_, only_for)

    def _type(self, field: Field, column: DuckDBPyType) -> FieldType | None:
        if field.pii in {Pii.HASH, Pii.REDACT}:
            return FieldType.STRING
        reserved = RESERVED[self.mapping.kind]
        type_ = field.type or reserved.get(field.name) or infer(column)
        if type_ is None:
            self.problem(
                field.place,
                f"{field.name!r} is {column}, which is none of the platform's field types",
                "declare a `type:` and write an expression that yields it",
            )
        return type_

    def _constant(self, given: Constant) -> tuple[str, DuckDBPyType]:
        sql = literal(given.value) if given.value != () else "[]::VARCHAR[]"
        bound = self._bind(sql, given.place)
        if bound is None:
            raise ConfigError(self.problems)
        return bound.sql, bound.type

    def _bind(self, sql: str, place: Place) -> Value | None:
        # The closing parenthesis on a line of its own survives a trailing `-- comment`.
        inner = f"({sql}\n)" if "--" in sql else f"({sql})"
        try:
            type_ = self._connection.sql(f"SELECT {inner} FROM source").types[0]  # noqa: S608 - parsed and checked above
        except duckdb.Error as error:
            self.problem(place, first_line(error))
            return None
        return Value(inner, type_)

    def _unknown(self, name: str) -> tuple[str, str | None]:
        what = self.mapping.table or "the query"
        close = get_close_matches(folded(name), self._columns, n=1, cutoff=0.6)
        hint = f"did you mean {self._columns[close[0]]!r}?" if close else self._list_columns()
        return f"{name!r} is no column of {what}", hint

    def _list_columns(self) -> str:
        names = list(self._columns.values())
        more = ", …" if len(names) > 12 else ""
        return f"it has {', '.join(names[:12])}{more}"


def bound_fields(binder: Binder) -> Iterator[BoundField]:
    """Every field of a mapping, shared ones first, then those of single event types."""
    for field in binder.mapping.fields:
        bound = binder.field(field)
        if bound is not None:
            yield bound
    for event_type in binder.mapping.types:
        for field in event_type.fields:
            bound = binder.field(field, event_type.name)
            if bound is not None:
                yield bound


def folded(name: str) -> str:
    """A name as DuckDB compares it: letters beyond ASCII keep their case."""
    return name.encode().lower().decode()


def place_within(given: Expression, offset: int) -> Place:
    """The place of the character at `offset` of an expression; where it begins, if in doubt.

    What is folded or escaped in YAML is not as it is written there.
    """
    place = given.place
    if not place.line:
        return place
    before = given.sql[:offset].split("\n")
    line = place.line + len(before) - 1
    linecache.checkcache(str(place.file))
    written = linecache.getline(str(place.file), line)
    if len(before) > 1:
        begin = written.find(given.sql.split("\n")[len(before) - 1])
    else:
        begin = place.column - 1
        begin += written[begin : begin + 1] in {'"', "'"} and given.sql[:1] != written[begin]
    end = begin + len(before[-1])
    if begin < 0 or written[begin:end] != before[-1]:
        return place
    return replace(place, line=line, column=end + 1)
