"""What a draft says, before it is written down as YAML."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from connector.coverage.yamlline import field_line, scalar
from connector.errors import Place
from connector.mapping.mapping import Constant, Expression, Field, Pii
from connector.mapping.rules import FieldType, Kind


@dataclass(frozen=True, slots=True)
class Entry:
    """One field: an expression over columns, or a constant text; `note` is for the reader.

    `columns` are those that it says something of: they need no line of their own.
    """

    field: str
    expression: str
    type: FieldType | None = None
    columns: tuple[str, ...] = ()
    note: str | None = None
    constant: bool = False
    pii: Pii | None = None

    @property
    def line(self) -> str:
        """The line of YAML."""
        if self.pii is not None:
            return f"{scalar(self.field)}: {{expr: {json.dumps(self.expression)}, pii: {self.pii}}}"
        if self.constant:
            return f"{scalar(self.field)}: {{value: {scalar(self.expression)}}}"
        return field_line(self.field, self.expression, self.type)

    def as_field(self, place: Place) -> Field:
        """The field as a mapping has it."""
        value = Constant if self.constant else Expression
        return Field(self.field, value(self.expression, place), place, self.type, self.pii)


@dataclass(slots=True)
class Sketch:
    """A mapping in the making. `notes` explain keys by their names.

    `groups` are fields under a heading; `offers` are commented out, `personal` as well.
    """

    kind: Kind
    source: str
    table: str
    where: str | None = None
    event_type: str | None = None
    types_by: str | None = None
    """The column that says of each event which type it is, in place of `event_type`."""
    cursor: str | None = None
    consent: str | None = None
    deletes: dict[str, str] = field(default_factory=dict)
    groups: dict[str, list[Entry]] = field(default_factory=dict)
    offers: list[Entry] = field(default_factory=list)
    personal: list[Entry] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Columns that no field can be made of, and why."""
    claimed: set[str] = field(default_factory=set)
    """Columns that are there for a rule, and are no field."""
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, heading: str, *entries: Entry) -> None:
        """Add fields under a heading."""
        self.groups.setdefault(heading, []).extend(entries)

    @property
    def entries(self) -> list[Entry]:
        """The fields that are sent."""
        return [entry for group in self.groups.values() for entry in group]

    def has(self, name: str) -> bool:
        """Whether there is such a field, or one that differs by case alone."""
        listed = (*self.entries, *self.offers, *self.personal)
        return any(entry.field.lower() == name.lower() for entry in listed)

    @property
    def used(self) -> set[str]:
        """The columns that some field says something of."""
        return {column for entry in self.entries for column in entry.columns}
