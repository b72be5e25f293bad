"""What a mapping must be like to be compared by its warehouse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connector.engine.database import Database, database_of
from connector.errors import ConfigError, Place, Problem
from connector.mapping import rules
from connector.mapping.clock import clock_reads
from connector.mapping.mapping import Expression, Field, Pii
from connector.mapping.rules import Kind

if TYPE_CHECKING:
    from connector.prepare import Bound
    from connector.source.settings import SourceSettings

_CAST = re.compile(r"::\s*(varchar|text|bigint|integer|int)\s*$", re.IGNORECASE)


def check(bound: Bound, settings: SourceSettings) -> None:
    """Look whether a mapping can be compared by its warehouse.

    Raises:
        ConfigError: it cannot, with the reason at its place.
    """
    database_for(bound, settings)
    key_column(bound)
    _check_clock(bound)


def database_for(bound: Bound, settings: SourceSettings) -> Database:
    """The warehouse that compares.

    Raises:
        ConfigError: it does not, or with this mapping it would be of no use.
    """
    mapping = bound.mapping
    if mapping.cursor is not None:
        raise _problem(
            mapping.place,
            "`engine: warehouse` and `cursor` do not go together",
            "with a cursor only new rows are read anyway: leave `engine` out",
        )
    database = database_of(settings)
    if database is None:
        raise _problem(
            mapping.place,
            f"`engine: warehouse` needs PostgreSQL or Snowflake, which {mapping.source!r} is not",
            "leave `engine` out: rows are then compared on this machine",
        )
    return database


def key_column(bound: Bound) -> str:
    """The column of the source that is the key.

    Raises:
        ConfigError: the key is something else.
    """
    field = key_field(bound)
    if field is None or not isinstance(field.value, Expression):
        raise no_key(bound, "is not mapped to a column")
    wanted = field.value.sql.strip()
    if wanted not in bound.columns.names:
        wanted = _CAST.sub("", wanted).strip()
        wanted = wanted[1:-1].replace('""', '"') if wanted.startswith('"') else wanted
    found = [column for column in bound.columns.names if column.lower() == wanted.lower()]
    if len(found) != 1 or field.pii in {Pii.HASH, Pii.REDACT}:
        raise no_key(bound, "is not a plain column")
    return str(found[0])


def key_field(bound: Bound) -> Field | None:
    """The field that is the key, where it is mapped."""
    name = _key_name(bound)
    return next((each for each in bound.mapping.fields if each.name == name), None)


def no_key(bound: Bound, why: str) -> ConfigError:
    """What to say of a key that the warehouse cannot find rows by."""
    field = key_field(bound)
    return _problem(
        field.place if field else bound.mapping.place,
        f"`engine: warehouse` finds rows by their key, and {_key_name(bound)!r} {why}",
        "map it to one column of text or integers, made in a `query` if need be",
    )


def _key_name(bound: Bound) -> str:
    return rules.USER_KEY if bound.mapping.kind is Kind.USERS else rules.EVENT_KEY


def _check_clock(bound: Bound) -> None:
    problems = [
        Problem(
            read.place,
            f"`engine: warehouse` cannot see that a row changes with the time: {read.name}",
            "make it a column, in a `query` of the source's own SQL",
        )
        for read in clock_reads(bound.mapping, bound.columns.names)
    ]
    if problems:
        raise ConfigError(problems)


def _problem(place: Place, message: str, hint: str) -> ConfigError:
    return ConfigError([Problem(place, message, hint)])
