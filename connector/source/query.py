"""SQL text around what a mapping says, for warehouses that are asked in SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo

import pyarrow as pa

from connector.errors import SourceError
from connector.source.base import Relation, Window

_CLOCKS_SET_BACK = timedelta(hours=1)

_AWAY = re.compile(
    r"refused|timeout|timed out|is locked|starting up|shutting down|too many (clients|connections)"
    r"|closed the connection|lost connection",
    re.IGNORECASE,
)
_AWAY_STATES = ("08", "40", "53", "57")
"""SQLSTATE classes of broken connections, rollbacks, a lack of resources, an operator at work."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a window: `column operator moment`.

    The moment is aware where the column is, and local time of the source where it is naive.
    """

    column: str
    operator: str
    moment: datetime


def is_away(said: str, state: str = "") -> bool:
    """Whether an error of a database may pass by itself, by its words and its SQLSTATE."""
    return state[:2] in _AWAY_STATES or _AWAY.search(said) is not None


def select(
    relation: Relation, rows: str, columns: Sequence[str] = (), condition: str | None = None
) -> str:
    """The statement that reads `rows`, a quoted table or a query as a subquery.

    `columns` are expressions, all of them when there are none; `condition` joins the relation's own
    `where`. Line breaks keep a trailing `-- comment` from swallowing what follows.
    """
    where = [f"({relation.where}\n)"] if relation.where else []
    where += [condition] if condition else []
    lines = [f"SELECT {', '.join(columns) or '*'}", f"FROM {rows}"]
    if where:
        lines.append("WHERE " + " AND ".join(where))
    return "\n".join(lines)


def subquery(query: str) -> str:
    """A query as something to select from; the alias goes without AS, which not all accept."""
    return f"({query.strip().rstrip(';')}\n) q"


def find_column(name: str, known: Sequence[str], relation: Relation) -> str:
    """A column by the name a mapping gives it, which need not match in case.

    Raises:
        SourceError: there is none, or there are several that differ in case only.
    """
    if name in known:
        return name
    found = [column for column in known if column.lower() == name.lower()]
    if len(found) == 1:
        return found[0]
    if found:
        raise SourceError(
            f"{name!r} is not one column of {relation} but {len(found)}: {', '.join(found)}",
            hint="write it exactly as one of them",
        )
    close = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(known[:12])}"
    raise SourceError(f"{name!r} is no column of {relation}", hint=hint)


def bounds(window: Window, schema: pa.Schema, relation: Relation, zone: str) -> list[Bound]:
    """The ends of a window, as its column is to be compared with them.

    Raises:
        SourceError: the column is not there, or holds neither dates nor timestamps.
    """
    column = find_column(window.column, schema.names, relation)
    type_ = schema.field(column).type
    if not (pa.types.is_timestamp(type_) or pa.types.is_date(type_)):
        raise SourceError(
            f"cursor column {column!r} of {relation} is {type_}",
            hint="a cursor is a column of dates or timestamps; cast it in a `query`",
        )
    zoned = pa.types.is_timestamp(type_) and type_.tz is not None
    ends = []
    for operator, moment, further in ((">=", window.start, -1), ("<", window.end, 1)):
        if moment is None:
            continue
        instant = moment.replace(tzinfo=UTC)
        if not zoned:
            instant = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            # Where clocks are set back, an hour of local time occurs twice: rather both than none.
            instant += further * _CLOCKS_SET_BACK if zone != "UTC" else timedelta(0)
        ends.append(Bound(column, operator, instant))
    return ends


def within(
    window: Window, ends: Sequence[Bound], condition: Callable[[Bound], str], column: str
) -> str:
    """The condition for rows of a window, from that for each of its ends; `column` is quoted."""
    inside = " AND ".join(map(condition, ends)) or "1 = 1"
    return f"({inside} OR {column} IS NULL)" if window.or_null else f"({inside})"


def chosen(relation: Relation, known: Sequence[str]) -> list[str]:
    """The columns that are wanted, as the source spells them."""
    if relation.columns is None:
        return list(known)
    return [find_column(name, known, relation) for name in relation.columns]
