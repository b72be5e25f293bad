"""From a table to a mapping file that is valid: look, sketch, write down, check."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from connector.coverage.attributes import attributes_of, recommended_for
from connector.coverage.score import Attribute
from connector.coverage.suggest import Sample, Suggestion, head, suggest
from connector.drafting import names
from connector.drafting.events import sketch_events, table_words
from connector.drafting.rest import offer_the_rest
from connector.drafting.sketch import Entry, Sketch
from connector.drafting.table import Table
from connector.drafting.users import sketch_users
from connector.drafting.yamltext import write_yaml
from connector.errors import ConfigError, Place, UsageError
from connector.mapping.compile import Compiled, compile_mapping
from connector.mapping.load import load_mapping
from connector.mapping.mapping import Constant, Expression, Mapping
from connector.mapping.rules import Kind
from connector.prepare import Bound
from connector.project import Project
from connector.source.base import Relation, Source
from connector.source.open import open_source

_HEADINGS = {"good": "Good", "better": "Better", "best": "Best"}
_RECOMMENDED = "Recommended"
_WORTH_SAYING = 0.01
"""The part of the rows from which rejects are worth a word: what a sync puts up with by default."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to draft: `name` is the table's unless given, `key` a column that names the rows."""

    source: str
    table: str
    kind: Kind
    name: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A mapping file that is valid and not yet there. `warnings` are about the rows looked at."""

    file: Path
    text: str
    rows: int
    sent: int
    offered: int
    personal: int
    warnings: tuple[str, ...] = ()

    def write(self) -> None:
        """Write the file.

        Raises:
            UsageError: there is one by now.
        """
        try:
            with self.file.open("x", encoding="utf-8") as stream:
                stream.write(self.text)
        except FileExistsError:
            raise _taken(self.file) from None


def draft_mapping(project: Project, wanted: Wanted) -> Draft:
    """Look at the first rows of a table and draft a mapping of it.

    Raises:
        UsageError: the table is empty or tells too little, or there is such a mapping already.
        ConfigError: the source's settings are wrong.
        SourceError: the table cannot be read.
    """
    name = wanted.name or names.field_name(table_words(wanted.table))
    file = project.folder / f"{name}.yaml"
    if re.search(r"[/\\\x00]", name) or file.exists():
        raise _taken(file)
    if any(each.name.lower() == name.lower() for each in project.mappings):
        raise UsageError(f"there is a mapping {name!r} already", hint="give another `--name`")
    source = open_source(project.source(wanted.source))
    try:
        rows = head(source, Relation(table=wanted.table))
        if not rows.num_rows:
            raise UsageError(f"{wanted.table} is empty: there is nothing to draft from")
        sketch = _sketch(source, rows, wanted, Place(file))
        text = write_yaml(sketch, rows.num_rows)
        warnings = _checked(project, source, file.name, text)
    finally:
        source.close()
    offered, personal = len(sketch.offers), len(sketch.personal)
    sent = len(sketch.entries)
    return Draft(file, text, rows.num_rows, sent, offered, personal, warnings)


def _taken(file: Path) -> UsageError:
    return UsageError(f"{file}: already there, and not overwritten", hint="give another `--name`")


def _sketch(source: Source, rows: pa.Table, wanted: Wanted, place: Place) -> Sketch:
    sketch = Sketch(wanted.kind, wanted.source, wanted.table)
    with Sample(rows) as sample:
        table = Table(sample)
        fill_in = sketch_users if wanted.kind is Kind.USERS else sketch_events
        fill_in(sketch, table, wanted.key)
        mapping = _mapping(sketch, place)
        compiled = compile_mapping(mapping, rows.schema, timezone=source.timezone)
        bound = Bound(mapping, source, compiled, rows.schema)
        _add_suggested(sketch, table, suggest(bound, _everything(wanted.kind)))
        offer_the_rest(sketch, table, mapping, rows.schema)
    return sketch


def _mapping(sketch: Sketch, place: Place) -> Mapping:
    """What is sketched so far, as a mapping."""
    event_type: Expression | Constant | None = None
    if sketch.types_by is not None:
        event_type = Expression(sketch.types_by, place)
    elif sketch.event_type is not None:
        event_type = Constant(sketch.event_type, place)
    return Mapping(
        name="draft",
        kind=sketch.kind,
        place=place,
        source=sketch.source,
        fields=tuple(entry.as_field(place) for entry in sketch.entries),
        table=sketch.table,
        event_type=event_type,
    )


def _everything(kind: Kind) -> Sequence[Attribute]:
    """All that the platform's tables name, tiers first, as if nothing were there yet."""
    tiers = [Attribute(each.name, each.tier) for each in attributes_of(kind)]
    return [*tiers, *(Attribute(name, None) for name in recommended_for(kind))]


def _add_suggested(sketch: Sketch, table: Table, suggested: Sequence[Suggestion]) -> None:
    columns = {column.name: column for column in table.columns}
    for each in suggested:
        if sketch.has(each.field) or sketch.claimed & set(each.columns):
            continue
        expression = each.expression
        if expression == each.columns[0]:
            expression = table.tidy(columns[expression])
        note = f"{each.fill:.0%} of the rows have it" if each.sparse else None
        heading = _HEADINGS[each.tier] if each.tier else _RECOMMENDED
        sketch.add(heading, Entry(each.field, expression, each.type, each.columns, note))


def _checked(project: Project, source: Source, name: str, text: str) -> tuple[str, ...]:
    """Read the text as the mapping file it will be, and try it on the rows it will read.

    Raises:
        ConfigError: it would not be valid.
    """
    with tempfile.TemporaryDirectory(prefix="connector-") as folder:
        file = Path(folder, name)
        file.write_text(text, encoding="utf-8")
        loaded = load_mapping(
            file,
            root=project.root,
            sources=project.source_names,
            environment=os.environ,
        )
        if loaded.problems or loaded.unset or loaded.mapping is None:
            raise ConfigError([*loaded.problems, *loaded.unset])
        mapping = loaded.mapping
        relation = Relation(table=mapping.table, where=mapping.where)
        rows = head(source, relation)
        compiled = compile_mapping(mapping, rows.schema, timezone=source.timezone)
    return tuple(_rejects(compiled, rows))


def _rejects(compiled: Compiled, rows: pa.Table) -> list[str]:
    """What would be rejected of the rows, where it is worth a word."""
    sql = f'SELECT "$violation", count(*) FROM ({compiled.guarded.judged()}) GROUP BY ALL'  # noqa: S608 - the compiler's own
    with Sample(rows) as sample:
        counts = dict(sample.connection.execute(sql).fetchall())
    counts.pop(None, None)
    violations = compiled.guarded.violations
    return [
        f"{count:,} of {rows.num_rows:,} rows would be rejected: "
        f"{violations[number - 1].field or 'the row'} {violations[number - 1].message}"
        for number, count in sorted(counts.items(), key=lambda each: -each[1])
        if count >= _WORTH_SAYING * rows.num_rows
    ]
