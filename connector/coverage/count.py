"""Counting over what would be sent: one pass over the table, whatever the number of fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import duckdb

from connector.coverage.attributes import EVENT_RULES
from connector.coverage.proof import UNKNOWN, Facts, counted, facts_of, unhashed
from connector.mapping.chain import Chain
from connector.mapping.compile import Compiled
from connector.mapping.fields import TYPE, column
from connector.mapping.mapping import Constant
from connector.mapping.rules import FieldType, Kind
from connector.row import Verdict
from connector.sql import identifier, literal

ROW_ERRORS = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)
"""What an expression raises over a value it cannot take: a matter of one row."""

SENT = f'"$verdict" IN ({Verdict.SEND:d}, {Verdict.SOFT_DELETE:d}) AND "$violation" IS NULL'
"""Rows that would be sent with their fields; flagged users are, with `is_deleted`."""

_BLANK = r"[\s\p{Z}]*"
_NOTHING = r"""\s*(\{\s*("([^"\\]|\\.)*"\s*:\s*null\s*,?\s*)*\}|\[\s*\])\s*"""
"""An empty object or list, and an object of which every member is null."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one event type that would be sent (of all of them, for users).

    `filled` counts non-empty values by field, `matched` the events that an event rule finds, by
    attribute.
    """

    rows: int
    filled: dict[str, int]
    matched: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows that were read, and those that would be sent, by event type (None for users).

    `repeated` is how many keys occur more than once; None where nobody looked. `chain` is the one
    that the rows could be counted with.
    """

    chain: Chain
    read: int
    repeated: int | None
    groups: dict[str | None, Group]

    @property
    def sent(self) -> int:
        """Rows that would be sent."""
        return sum(group.rows for group in self.groups.values())

    def filled(self, name: str) -> int:
        """Non-empty values of a field."""
        return sum(group.filled[name] for group in self.groups.values())


@dataclass(frozen=True, slots=True)
class Look:
    """How to count.

    `texts` reads through every text and key for what is refused in them: e-mail addresses in fields
    that are not marked, control characters in keys. `repeats` looks for keys that occur more than
    once, whose rows are refused (events that say the same are sent once). Each takes several times
    as long as the counting itself; without them, rows that are refused for that count as sent.
    """

    texts: bool
    repeats: bool


def count(connection: duckdb.DuckDBPyConnection, compiled: Compiled, look: Look) -> Counts:
    """Count the relation `source` of `connection`.

    Raises:
        duckdb.Error: the source cannot be read.
    """
    facts = facts_of(connection, compiled.chain)
    try:
        return _count(connection, compiled.chain, facts, look)
    except ROW_ERRORS:
        return _count(connection, compiled.guarded, {}, look)


def _count(
    connection: duckdb.DuckDBPyConnection, chain: Chain, facts: dict[str, Facts], look: Look
) -> Counts:
    repeated = find_repeated(connection, unhashed(chain)) if look.repeats else 0
    source = unhashed(chain) if repeated else counted(chain, facts, quick=not look.texts)
    measures = ["count(*)", *_filled(source, facts), *_matched(source).values()]
    event_type = chain.mapping.event_type
    several = event_type is not None and not isinstance(event_type, Constant)
    found = connection.execute(
        f"SELECT {identifier(column(TYPE)) if several else 'NULL'}, {', '.join(measures)} "  # noqa: S608 - the compiler's own SQL
        f"FROM ({sent_rows(source, repeated=repeated > 0)}){' GROUP BY 1' if several else ''}"
    ).fetchall()
    read = connection.execute("SELECT count(*) FROM source").fetchone()
    only = str(event_type.value) if isinstance(event_type, Constant) else None
    return Counts(
        chain=chain,
        read=read[0] if read else 0,
        repeated=repeated if look.repeats else None,
        groups={name if several else only: _group(source, row) for name, *row in found},
    )


def _group(chain: Chain, row: list[int]) -> Group:
    rows, *counts = row
    fields = len(chain.fields)
    return Group(
        rows,
        filled=dict(zip(chain.fields, counts[:fields], strict=True)),
        matched=dict(zip(_matched(chain), counts[fields:], strict=True)),
    )


def _filled(chain: Chain, facts: dict[str, Facts]) -> Iterator[str]:
    for name, each in chain.fields.items():
        known = facts.get(each.branches[0].alias, UNKNOWN) if len(each.branches) == 1 else UNKNOWN
        yield f"count({present(each.type, identifier(column(name)), known)})"


def _matched(chain: Chain) -> dict[str, str]:
    """SQL that counts the events an event rule finds by what a field says, by attribute."""
    return {
        attribute: f"count(CASE WHEN regexp_matches(lower({identifier(column(rule.field))}), "
        f"{literal(rule.pattern or '')}) THEN true END)"
        for attribute, rule in EVENT_RULES.items()
        if rule.field in chain.fields and chain.mapping.kind is Kind.EVENTS
    }


def find_repeated(connection: duckdb.DuckDBPyConnection, chain: Chain) -> int:
    """Make the table `repeated` of the keys that occur more than once; returns how many."""
    connection.execute(
        'CREATE OR REPLACE TEMP TABLE repeated AS SELECT "$key" AS key, '  # noqa: S608 - the compiler's own SQL
        f'min("$fingerprint") = max("$fingerprint") AS alike FROM ({chain.judged()}\n) '
        'WHERE "$key" IS NOT NULL GROUP BY 1 HAVING count(*) > 1'
    )
    row = connection.execute("SELECT count(*) FROM repeated").fetchone()
    return row[0] if row else 0


def sent_rows(chain: Chain, *, repeated: bool) -> str:
    """SQL of the rows that would be sent, with the values of their fields.

    With `repeated`, keys in that table are left out; events that are alike are there once.
    """
    rows = f"SELECT * FROM ({chain.judged()}\n) WHERE {SENT}"  # noqa: S608 - the compiler's own SQL
    if not repeated:
        return rows
    alone = f'{rows} AND "$key" NOT IN (SELECT key FROM repeated)'  # noqa: S608 - as above
    if chain.mapping.kind is not Kind.EVENTS:
        return alone
    alike = f'{rows} AND "$key" IN (SELECT key FROM repeated WHERE alike)'  # noqa: S608 - as above
    return f'{alone} UNION ALL (SELECT DISTINCT ON ("$key") * FROM ({alike}))'  # noqa: S608 - as above


def present(type_: FieldType, value: str, facts: Facts = UNKNOWN) -> str:
    """SQL that is null exactly where a canonical value is null, blank or empty."""
    match type_:
        case FieldType.STRING | FieldType.RELATION if not facts.never_blank:
            # What begins with a visible ASCII character is not blank; only the rest is looked at.
            return (
                f"CASE WHEN {value} BETWEEN '!' AND chr(127) THEN true "
                f"WHEN NOT regexp_full_match({value}, {literal(_BLANK)}) THEN true END"
            )
        case FieldType.STRINGS | FieldType.EMBEDDING:
            return f"nullif(len({value}), 0)"
        case FieldType.OBJECT:
            return f"CASE WHEN NOT regexp_full_match({value}, {literal(_NOTHING)}) THEN true END"
    return value
