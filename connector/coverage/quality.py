"""The data behind the coverage: how full, how varied and how fresh, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb

from connector.coverage.count import Counts, sent_rows
from connector.coverage.proof import unhashed
from connector.mapping.chain import Chain
from connector.mapping.fields import TYPE, column
from connector.mapping.private import hidden_fields, looks_personal
from connector.mapping.rules import IDENTITIES, FieldType, Kind
from connector.row import Verdict
from connector.sql import identifier, literal

TOP = 5
AT_LEAST = 5
"""A value is shown only if so many rows share it: a value of one person is theirs."""
MAX_SHOWN = 60
DAYS = 90
"""How many days of volume are told."""

_ORDERED = {FieldType.NUMBER, FieldType.TIME}
_LISTS = {FieldType.STRINGS, FieldType.EMBEDDING}


def look_closely(connection: duckdb.DuckDBPyConnection, counts: Counts) -> dict[str, Any]:
    """What is in the fields of the relation `source`, and what of it is refused.

    It takes as many passes as there are kinds of questions, whatever the number of fields.
    """
    exact = unhashed(counts.chain)
    rows = sent_rows(exact, repeated=bool(counts.repeated))
    found: dict[str, Any] = {
        "fields": _fields(connection, exact, rows, counts),
        "not_sent": list(_not_sent(connection, exact)),
    }
    if exact.mapping.kind is Kind.EVENTS:
        found["identity"] = _identity(connection, exact, rows)
        found |= _over_time(connection, rows)
    return found


def _fields(
    connection: duckdb.DuckDBPyConnection, chain: Chain, rows: str, counts: Counts
) -> dict[str, Any]:
    hidden = hidden_fields(chain)
    fields: dict[str, dict[str, Any]] = {}
    asked: list[tuple[str, str, str]] = []
    for name, each in chain.fields.items():
        filled = counts.filled(name)
        fields[name] = {
            "type": str(each.type),
            "fill": round(filled / counts.sent, 6) if counts.sent else 0.0,
            "filled": filled,
        }
        if name in hidden:
            fields[name]["values"] = "hidden"
        asked += [(name, key, sql) for key, sql in _questions(each.type, name, name in hidden)]
    if not asked:
        return fields
    answers = connection.execute(
        f"SELECT {', '.join(sql for _, _, sql in asked)} FROM ({rows})"  # noqa: S608 - the compiler's own SQL
    ).fetchone()
    for (name, key, _), answer in zip(asked, answers or (), strict=False):
        if key == "distinct" and answer is not None:
            answer = min(answer, counts.sent)  # noqa: PLW2901 - an estimate, which may be too high
        fields[name][key] = _shown(chain.fields[name].type, key, answer)
    _count_top(connection, rows, fields)
    return fields


def _questions(type_: FieldType, name: str, hidden: bool) -> Iterator[tuple[str, str]]:
    value = identifier(column(name))
    if type_ in _LISTS:
        yield "shortest", f"min(len({value}))"
        yield "longest", f"max(len({value}))"
        return
    yield "distinct", f"approx_count_distinct({value})"
    if hidden:
        return
    if type_ in _ORDERED:
        yield "min", f"min({value})"
        yield "max", f"max({value})"
    elif type_ in {FieldType.STRING, FieldType.BOOLEAN}:
        yield "top", f"approx_top_k({value}::VARCHAR, {TOP})"


def _shown(type_: FieldType, key: str, answer: Any) -> Any:
    if type_ is FieldType.TIME and key in {"min", "max"} and answer is not None:
        return moment(datetime.fromtimestamp(answer / 1000, UTC))
    return answer


def moment(when: datetime) -> str:
    """A time as JSON and people read it."""
    return when.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _count_top(
    connection: duckdb.DuckDBPyConnection, rows: str, fields: dict[str, dict[str, Any]]
) -> None:
    """Count the most frequent values exactly, and keep those that enough rows share."""
    asked = [(name, value) for name, each in fields.items() for value in each.get("top") or ()]
    counts = [
        f"count(CASE WHEN {identifier(column(name))}::VARCHAR = {literal(value)} THEN true END)"
        for name, value in asked
    ]
    counted = (
        connection.execute(f"SELECT {', '.join(counts)} FROM ({rows})").fetchone()  # noqa: S608 - quoted
        if counts
        else ()
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for (name, value), count in zip(asked, counted or (), strict=True):
        if count >= AT_LEAST:
            found.setdefault(name, []).append({"value": value[:MAX_SHOWN], "rows": count})
    for name, each in fields.items():
        if "top" not in each:
            continue
        each["top"] = sorted(found.get(name, []), key=lambda top: -int(top["rows"]))
        if any(looks_personal(str(top["value"])) for top in each["top"]):
            del each["top"]
            each["values"] = "hidden"


def _not_sent(connection: duckdb.DuckDBPyConnection, chain: Chain) -> Iterator[dict[str, Any]]:
    """Rows that are refused, by rule, and those that the mapping leaves out; by event type."""
    event_type = identifier(column(TYPE)) if TYPE in chain.fields else "NULL"
    verdict = f'CASE WHEN "$violation" IS NULL OR "$verdict" = {Verdict.SKIP:d} THEN "$verdict" END'
    found = connection.execute(
        f"SELECT {event_type}, {verdict} AS verdict, CASE WHEN verdict IS NULL "  # noqa: S608 - the compiler's own SQL
        f'THEN "$violation" END AS violation, count(*) FROM ({chain.judged()}\n) '
        f'WHERE "$violation" IS NOT NULL OR "$verdict" NOT IN '
        f"({Verdict.SEND:d}, {Verdict.SOFT_DELETE:d}) GROUP BY ALL ORDER BY 4 DESC, 1, 2, 3"
    ).fetchall()
    for type_, why, number, rows in found:
        if number is None:
            name = _VERDICTS.get(Verdict(why), "skipped")
            yield {"type": type_, "code": name, "field": None, "rows": rows}
        else:
            rule = chain.violations[number - 1]
            yield {"type": type_, "code": rule.code, "field": rule.field, "rows": rows}


_VERDICTS = {
    Verdict.HARD_DELETE: "hard_delete",
    Verdict.SKIP: "skipped",
    Verdict.WITHDRAWN_SOFT: "no_consent",
    Verdict.WITHDRAWN_HARD: "no_consent",
}


def _identity(connection: duckdb.DuckDBPyConnection, chain: Chain, rows: str) -> dict[str, float]:
    """The part of the events that name a user, a session, a client."""
    names = [name for name in IDENTITIES if name in chain.fields]
    counted = ", ".join(f"count({identifier(name)})" for name in names)
    row = connection.execute(f"SELECT count(*), {counted} FROM ({rows})").fetchone()  # noqa: S608 - the compiler's own SQL
    total, *counts = row or (0,)
    return {
        name: round(count / total, 6) if total else 0.0
        for name, count in zip(names, counts, strict=True)
    }


def _over_time(connection: duckdb.DuckDBPyConnection, rows: str) -> dict[str, Any]:
    """Volume by day, the latest event, and the days without any in between."""
    found = connection.execute(
        "SELECT (make_timestamp_ms(original_timestamp))::DATE AS day, count(*), "  # noqa: S608 - the compiler's own SQL
        f"max(original_timestamp) FROM ({rows}) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    if not found:
        return {"volume": [], "latest": None, "age_hours": None, "gaps": []}
    latest = datetime.fromtimestamp(max(row[2] for row in found) / 1000, UTC)
    age = datetime.now(UTC) - latest
    return {
        "volume": [{"day": day.isoformat(), "rows": count} for day, count, _ in found[-DAYS:]],
        "latest": moment(latest),
        "age_hours": round(age / timedelta(hours=1), 1),
        "gaps": _gaps([row[0] for row in found[-DAYS:]]),
    }


def _gaps(days: list[date]) -> list[dict[str, Any]]:
    return [
        {
            "from": (before + timedelta(days=1)).isoformat(),
            "to": (after - timedelta(days=1)).isoformat(),
            "days": (after - before).days - 1,
        }
        for before, after in pairwise(days)
        if (after - before).days > 1
    ]
