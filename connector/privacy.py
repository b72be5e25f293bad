"""A look at the data itself: direct personal data in fields that do not say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pyarrow as pa

from connector.errors import Problem
from connector.mapping.fields import text_within
from connector.mapping.mapping import Expression, Field
from connector.mapping.pii import ADDRESS, PHONE_NUMBER
from connector.mapping.scratch import scratch
from connector.prepare import Bound
from connector.sql import identifier, literal

_KINDS = {"e-mail addresses": ADDRESS, "telephone numbers": PHONE_NUMBER}

_LIMIT = 10_000


def direct_pii(bound: Bound) -> list[Problem]:
    """Fields of a mapping that hold e-mail addresses or telephone numbers and are not marked.

    Looks at the first 10,000 rows at most: names are checked when a mapping is read, and addresses
    row by row in every sync; this says so before the first.

    Raises:
        ConfigError: the key of `pii: hash` is not set.
        SourceError: the source cannot be read.
    """
    fields = {field.name: field for field in _unmarked(bound)}
    texts = {
        name: text
        for name in fields
        if (type_ := bound.compiled.types.get(name)) is not None  # a mapped `is_deleted` is a rule
        and (text := text_within(type_, identifier(name))) is not None
    }
    if not texts:
        return []
    counts = [
        f"count(*) FILTER (regexp_matches({text}, {literal(pattern)}))"
        for text in texts.values()
        for pattern in _KINDS.values()
    ]
    values = bound.compiled.guarded.canonical()
    found = _over_sample(bound, f"SELECT {', '.join(counts)} FROM ({values})")  # noqa: S608 - the compiler's own SQL
    named = [(name, kind) for name in texts for kind in _KINDS]
    return [
        Problem(
            fields[name].place,
            f"{name!r} holds {kind} ({count:,} of the first rows do)",
            "add `pii: hash`, `redact` or `allow` to the field",
        )
        for (name, kind), count in zip(named, found, strict=True)
        if count
    ]


def _unmarked(bound: Bound) -> Iterator[Field]:
    mapping = bound.mapping
    for field in (*mapping.fields, *(each for type_ in mapping.types for each in type_.fields)):
        if field.pii is None and isinstance(field.value, Expression):
            yield field


def _over_sample(bound: Bound, sql: str) -> tuple[Any, ...]:
    with bound.source.read(bound.relation()) as reader, closing(scratch()) as connection:
        batch = next(iter(reader), None)
        rows = pa.Table.from_batches([batch] if batch is not None else [], reader.schema)
        connection.register("incoming", rows.slice(0, _LIMIT))
        connection.execute("CREATE TEMP TABLE source AS FROM incoming")
        connection.unregister("incoming")
        needed = {name: value for name, value in bound.parameters().items() if f"${name}" in sql}
        found: tuple[Any, ...] = connection.execute(sql, needed or None).fetchall()[0]
    return found
