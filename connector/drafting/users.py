"""A table of users: who they are, who may be sent, who is gone."""

from __future__ import annotations

from connector.drafting import names
from connector.drafting.sketch import Entry, Sketch
from connector.drafting.table import Column, Table
from connector.errors import UsageError
from connector.sql import literal

_FLAGS = "boolean time text number"


def sketch_users(sketch: Sketch, table: Table, key: str | None) -> None:
    """Fill in the uid, the rules of deletion and consent, and leave test accounts out.

    Raises:
        UsageError: no column tells the rows apart.
    """
    uid = _uid(table, key)
    note = None if table.tells_apart(uid) else "rows that share one, or have none, are rejected"
    sketch.add("", Entry("uid", table.key(uid), columns=(uid.name,), note=note))
    used = [uid.name]
    test = table.find(names.TEST, "boolean", used=used)
    if test is not None:
        sketch.where = f"not coalesce({table.sample.spelled(test.name)}, false)"
        sketch.notes["where"] = "in the source's own SQL; what it leaves out was never there"
        used.append(test.name)
    used += _consent(sketch, table)
    used += _deletes(sketch, table)
    sketch.claimed |= set(used[1:])


def _uid(table: Table, key: str | None) -> Column:
    if key is not None:
        return named(table, key)
    called = list(table.matching(names.UID_OF_USERS, "text number"))
    others = [each for each in table.columns if not table.is_personal(each)]
    for fits, columns in (
        (table.tells_apart, called),
        (table.nearly_tells_apart, called),
        (table.tells_apart, others),
    ):
        found = next((each for each in columns if fits(each)), None)
        if found is not None:
            return found
    raise UsageError(
        "no column tells the rows apart: none is without nulls and without repeats",
        hint="name it with `--key COLUMN`, or make one row of each user in a view",
    )


def named(table: Table, name: str) -> Column:
    """A column by its name, that can be a key.

    Raises:
        UsageError: there is none.
    """
    found = next((each for each in table.columns if each.name.lower() == name.lower()), None)
    if found is None or not table.is_key(found):
        reason = "is no column of the table" if found is None else "cannot be a key"
        known = ", ".join(each.name for each in table.columns if table.is_key(each))
        raise UsageError(f"{name!r} {reason}", hint=f"a key is text or whole numbers: {known}")
    return found


def _consent(sketch: Sketch, table: Table) -> list[str]:
    given = table.find(names.CONSENT, "boolean text")
    if given is not None:
        condition = _as_flag(table, given)
        if condition is not None:
            sketch.consent = condition
            return [given.name]
    refused = table.find(names.REFUSAL, "boolean")
    if refused is not None:
        sketch.consent = f"not coalesce({table.sample.spelled(refused.name)}, false)"
        return [refused.name]
    return []


def _deletes(sketch: Sketch, table: Table) -> list[str]:
    """The columns that say that somebody is gone, or wants to be."""
    used: list[str] = []
    for key, patterns in (("hard_when", names.ERASE), ("soft_when", names.DELETED)):
        found = table.find(patterns, _FLAGS, used=used, filled=-1.0)
        condition = _as_flag(table, found) if found is not None else None
        if found is not None and condition is not None:
            sketch.deletes[key] = condition
            used.append(found.name)
    if "soft_when" not in sketch.deletes:
        status = table.find((r"(account_|user_|customer_|member_)?(status|state)",), "text")
        if status is not None:
            sketch.deletes |= _gone(table, status)
    return used


def _gone(table: Table, status: Column) -> dict[str, str]:
    spelled = table.sample.spelled(status.name)
    listed = ", ".join(map(literal, names.CLOSED))
    found = table.sample.one(
        f"list(DISTINCT {status.sql}) FILTER (lower({status.sql}) IN ({listed}))"
    )
    values = sorted(found or [])
    if not values:
        return {}
    if len(values) == 1:
        return {"soft_when": f"{spelled} = {literal(values[0])}"}
    return {"soft_when": f"{spelled} IN ({', '.join(map(literal, values))})"}


def _as_flag(table: Table, column: Column) -> str | None:
    """A condition that holds where a flag is up: a boolean, a time that has come, yes or 1."""
    spelled = table.sample.spelled(column.name)
    if column.kind == "boolean":
        return spelled
    if column.kind == "time":
        return f"{spelled} is not null"
    if column.kind == "number":
        zero_or_one = table.holds(f"coalesce(bool_and({column.sql} IN (0, 1)), false)")
        return f"{spelled} = 1" if zero_or_one else None
    words = "'y', 'yes', 'true', '1', 't', 'n', 'no', 'false', '0', 'f', ''"
    if table.holds(f"coalesce(bool_and(lower(trim({column.sql})) IN ({words})), false)"):
        return f"lower(trim({spelled})) IN ('y', 'yes', 'true', '1', 't')"
    return None
