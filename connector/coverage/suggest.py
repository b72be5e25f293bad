"""Columns that no field uses, matched to attributes that nothing provides yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa

from connector.coverage import score
from connector.coverage.clues import CLUES, OWNERS, PLACEHOLDERS, Clue
from connector.coverage.count import present
from connector.coverage.score import Attribute, Status
from connector.coverage.yamlline import field_line
from connector.errors import Place
from connector.mapping.bind import Binder
from connector.mapping.canonical import (
    FLOATS,
    INTEGERS,
    TEXTS,
    TIMES,
    UnconvertibleError,
    family,
)
from connector.mapping.conversion import convert
from connector.mapping.mapping import Expression, Field, Mapping
from connector.mapping.pii import looks_direct
from connector.mapping.rules import FieldType, Tier
from connector.prepare import Bound
from connector.source.base import Relation, Source
from connector.sql import identifier, literal

SAMPLED_ROWS = 50_000
"""How many rows are looked at to tell what a column holds."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A field to add: `line` is the YAML, `fill` what it would fill of the rows sampled.

    `reaches` is the tier that the mapping would reach with this field alone, and `together` with
    all that are suggested.
    """

    attribute: str
    tier: Tier | None
    field: str
    expression: str
    type: FieldType | None
    columns: tuple[str, ...]
    fill: float
    sparse: bool
    reaches: Tier | None = None
    together: Tier | None = None

    @property
    def line(self) -> str:
        """The line to add under `fields:`."""
        return field_line(self.field, self.expression, self.type)

    def to_json(self) -> dict[str, Any]:
        """The suggestion for scripts."""
        return {
            "attribute": self.attribute,
            "tier": self.tier and str(self.tier),
            "line": self.line,
            "field": self.field,
            "expression": self.expression,
            "type": self.type and str(self.type),
            "columns": list(self.columns),
            "fill": round(self.fill, 4),
            "reaches": str(self.reaches or "none"),
            "together": str(self.together or "none"),
        }


def suggest(bound: Bound, lines: Sequence[Attribute]) -> tuple[Suggestion, ...]:
    """Fields to add to a mapping, tiers first.

    Raises:
        SourceError: the source cannot be read.
    """
    missing = [each for each in lines if each.status is Status.MISSING and each.field is None]
    mapping = bound.mapping
    whole = Relation(table=mapping.table, query=mapping.query, where=mapping.where)
    columns = bound.columns
    unused = [
        name
        for name in columns.names
        if name not in bound.compiled.columns and not looks_direct(name)
    ]
    if not missing or not unused:
        return ()
    rows = head(bound.source, replace(whole, columns=tuple(unused)))
    if not rows.num_rows:
        return ()
    binder = Binder(mapping, columns)
    try:
        with Sample(rows) as sample:
            found = list(_match(mapping, binder, sample, missing))
    finally:
        binder.close()
    return _with_tiers(lines, found)


def head(source: Source, relation: Relation) -> pa.Table:
    """The first rows of a relation, 50,000 at most.

    Raises:
        SourceError: the source cannot be read.
    """
    batches: list[pa.RecordBatch] = []
    rows = 0
    with source.read(relation) as reader:
        for batch in reader:
            batches.append(batch)
            rows += batch.num_rows
            if rows >= SAMPLED_ROWS:
                break
        return pa.Table.from_batches(batches, reader.schema).slice(0, SAMPLED_ROWS)


class Sample:
    """Sampled rows and their columns by type; a context manager."""

    def __init__(self, rows: pa.Table) -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.register("incoming", rows)
        self.connection.execute("CREATE TABLE source AS FROM incoming")
        self.connection.unregister("incoming")
        relation = self.connection.sql("FROM source")
        self.types = dict(zip(relation.columns, relation.types, strict=True))
        reserved = self.connection.execute(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        ).fetchall()
        self._reserved = {name for (name,) in reserved}
        self.connection.execute("SET enable_external_access = false")

    def __enter__(self) -> Sample:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def kind(self, column: str) -> str:
        """The sort of type that clues speak of."""
        name = family(self.types[column])
        for kind, families in _KINDS.items():
            if name in families:
                return kind
        return name

    def spelled(self, column: str) -> str:
        """A column as one would write it in an expression."""
        simple = _SIMPLE.fullmatch(column) and column.lower() not in self._reserved
        return column if simple else identifier(column)

    def one(self, sql: str) -> Any:
        """A single value over the sampled rows; None where it cannot be had."""
        try:
            row = self.connection.execute(f"SELECT {sql} FROM source").fetchone()  # noqa: S608 - clues and quoted names
        except duckdb.Error:
            return None  # a clue that does not fit the content is no clue
        return row[0] if row else None


_KINDS = {
    "text": TEXTS,
    "number": INTEGERS | FLOATS | {"decimal"},
    "time": TIMES,
    "boolean": {"boolean"},
    "list": {"list", "array"},
    "object": {"struct", "map", "json"},
}


def _match(
    mapping: Mapping, binder: Binder, sample: Sample, missing: Sequence[Attribute]
) -> Iterator[Suggestion]:
    names = {column: _words(column) for column in sample.types}
    taken: set[str] = set()
    mapped = {field.name.lower() for field in mapping.fields}
    for line in missing:
        # Recommended fields come last and may tell what a tier's attribute tells, too.
        free = [each for each in names if line.tier is None or each not in taken]
        for clue in CLUES[mapping.kind]:
            if clue.attribute != line.attribute or (clue.field or clue.attribute) in mapped:
                continue
            found = _apply(clue, line, {each: names[each] for each in free}, sample, binder)
            if found is not None:
                taken.update(found.columns)
                yield found
                break


def _words(column: str) -> str:
    words = [word.lower() for word in _WORD.findall(column)]
    while len(words) > 1 and words[0] in OWNERS:
        words = words[1:]
    return "_".join(words)


def _apply(
    clue: Clue, line: Attribute, names: dict[str, str], sample: Sample, binder: Binder
) -> Suggestion | None:
    for column, words in names.items():
        if not re.fullmatch(clue.names, words) or sample.kind(column) not in clue.types:
            continue
        other = _second(clue, column, names)
        if clue.also is not None and other is None:
            continue
        spelled = {"c": sample.spelled(column), "d": sample.spelled(other) if other else ""}
        if not sample.one(clue.holds.format(**spelled)):
            continue
        # A column's plain name stands for the column, whatever it is made of.
        plain = column if clue.expression == "{c}" else clue.expression.format(**spelled)
        expression = _without_placeholders(clue, plain, column, sample)
        fill = _fill(clue, expression, sample, binder)
        if fill:
            columns = (column, other) if other else (column,)
            name = clue.field or clue.attribute
            sparse = fill < line.min_fill
            return Suggestion(
                line.attribute, line.tier, name, expression, clue.type, columns, fill, sparse
            )
    return None


def _second(clue: Clue, first: str, names: dict[str, str]) -> str | None:
    if clue.also is None:
        return None
    matching = (each for each in names if each != first and re.fullmatch(clue.also, names[each]))
    return next(matching, None)


def _without_placeholders(clue: Clue, expression: str, column: str, sample: Sample) -> str:
    """`none` in a column of genders is no gender."""
    if sample.kind(column) != "text" or clue.attribute not in {"gender", "status", "country"}:
        return expression
    text = f"lower(trim({identifier(column)}::VARCHAR))"
    found = sample.one(f"list(DISTINCT {text}) FILTER ({text} IN ({_listed(PLACEHOLDERS)}))") or []
    for placeholder in sorted(found):
        if clue.attribute == "gender":
            expression = f"nullif({expression}, {literal(placeholder)})"
        else:
            spelled = sample.spelled(column)
            listed = _listed(sorted(found))
            return f"CASE WHEN lower(trim({spelled})) NOT IN ({listed}) THEN {spelled} END"
    return expression


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(map(literal, texts))


def _fill(clue: Clue, expression: str, sample: Sample, binder: Binder) -> float | None:
    """The part of the sampled rows that would have a value; None where it could not be sent."""
    place = Place(binder.mapping.place.file)
    field = Field(clue.field or clue.attribute, Expression(expression, place), place, clue.type)
    bound = binder.field(field)
    if bound is None:
        binder.problems.clear()
        return None
    try:
        conversion = convert(bound.value.type, bound.type, bound.value.sql, "UTC")
    except UnconvertibleError:
        return None
    broken = " OR ".join(f"({check.condition})" for check in conversion.checks) or "false"
    value = f"CASE WHEN NOT coalesce({broken}, false) THEN {conversion.value} END"
    count = sample.one(f"count({present(bound.type, f'({value})')}) / count(*)")
    return float(count) if count else None


def _with_tiers(lines: Sequence[Attribute], found: Sequence[Suggestion]) -> tuple[Suggestion, ...]:
    by_attribute = {each.attribute: each for each in found}

    def supposing(chosen: set[str]) -> Tier | None:
        supposed = [
            replace(line, filled=round(by_attribute[line.attribute].fill * 1000), of=1000)
            if line.attribute in chosen
            else line
            for line in lines
        ]
        return score.reached(score.tiers(supposed))

    together = supposing(set(by_attribute))
    return tuple(
        replace(each, reaches=supposing({each.attribute}), together=together) for each in found
    )
