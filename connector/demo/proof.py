"""Last act of the demo: what arrived is compared with the warehouse, field by field, set-wise.

What has to be there is said a second time here, in SQL over the warehouse that knows nothing of the
mappings or of the compiler (`sql/proof_users.sql`, `sql/proof_events.sql`): the comparison would
find a mistake in either.
"""

from __future__ import annotations

import http.client
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from connector.demo.warehouse import run

SHOWN = 5
"""How many differences are named."""

_OWN_FIELDS = {
    "users": {"_table", "updated_at"},
    "events": {"ingest_timestamp"},
}
"""What the platform itself adds to an object."""

_JSON_TYPES = {
    "VARCHAR": {"VARCHAR"},
    "DOUBLE": {"DOUBLE", "BIGINT", "UBIGINT"},
    "BOOLEAN": {"BOOLEAN"},
    "VARCHAR[]": {"ARRAY"},
    "JSON": {"OBJECT"},
}
"""A field's type in the proof, and what it may look like on the far side."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared: objects of the far side with rows of the warehouse, and single values.

    `flagged` are users that have left the warehouse, of whom only the flag is asked. `differences`
    is how many users, events and fields are not as they should be; `examples` names a few.
    """

    users: int
    flagged: int
    events: int
    values: int
    differences: int
    examples: tuple[str, ...]


def expected_uids(warehouse: Path) -> list[str]:
    """The users that a sync of this warehouse brings to the far side."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        run(connection, "proof_users")
        return [uid for (uid,) in connection.execute("select uid from expected_users").fetchall()]


def prove(warehouse: Path, host: str, port: int, before: Sequence[str] = ()) -> Proof:
    """Compare everything a sandbox holds with the warehouse.

    `before` are users that were synced earlier, from `expected_uids`: those that have left since
    must be flagged as deleted.
    """
    with tempfile.TemporaryDirectory(prefix="proof-") as folder, duckdb.connect() as connection:
        connection.execute(f"attach '{_quoted(warehouse)}' as warehouse (read_only)")
        connection.execute("use warehouse")
        connection.execute("create temp table before as select unnest($1::varchar[]) as uid",
                           [list(before)])  # fmt: skip
        run(connection, "proof_users", "proof_events")
        wrong: list[str] = []
        for resource in ("users", "events"):
            file = Path(folder, f"{resource}.ndjson")
            _download(host, port, resource, file)
            wrong += _arrived(connection, resource, file)
        run(connection, "proof_verdicts")
        return _proof(connection, wrong)


def _download(host: str, port: int, resource: str, file: Path) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        connection.request("GET", f"/_sandbox/export/{resource}")
        with file.open("wb") as out:
            shutil.copyfileobj(connection.getresponse(), out)
    finally:
        connection.close()


def _arrived(connection: duckdb.DuckDBPyConnection, resource: str, file: Path) -> list[str]:
    """Make `arrived_<resource>` with the columns of `expected_<resource>`; returns which fields
    are of another type, or should not be there at all."""
    rows = connection.execute(f"describe expected_{resource}").fetchall()
    types = {name: kind for name, kind, *_ in rows}
    connection.execute(
        f"create temp table raw_{resource} as "  # noqa: S608 - our own names and file
        f"select json from read_ndjson_objects('{_quoted(file)}')"
    )
    columns = ", ".join(_value(name, kind) for name, kind in types.items())
    connection.execute(
        f"create temp view arrived_{resource} as select {columns} from raw_{resource}"  # noqa: S608 - our own names
    )
    found = connection.execute(
        "select distinct name, json_type(json, '$.\"' || name || '\"') "  # noqa: S608 - our own names
        f"from (select json, unnest(json_keys(json)) as name from raw_{resource})"
    ).fetchall()
    return [
        f"{resource}: field {name!r} is {kind}"
        for name, kind in sorted(found)
        if name not in _OWN_FIELDS[resource]
        and kind not in _JSON_TYPES.get(types.get(name, ""), set()) | {"NULL"}
    ]


def _value(name: str, kind: str) -> str:
    path = f"json -> '$.{name}'"
    if kind == "JSON":
        return f"if(json_type({path}) <> 'NULL', json({path}), null) as {name}"
    return f"({path})::{kind} as {name}" if kind != "VARCHAR" else f"json ->> '$.{name}' as {name}"


def _proof(connection: duckdb.DuckDBPyConnection, wrong: list[str]) -> Proof:
    counts = """
        select
          (select count(*) from expected_users),
          (select count(*) from gone),
          (select count(*) from expected_events),
          (select count(*) from expected_users) * (select count(*) from (describe expected_users))
          + (select count(*) from expected_events)
            * (select count(*) from (describe expected_events))
    """
    users, flagged, events, values = connection.execute(counts).fetchall()[0]
    found = connection.execute(
        "select 'user ' || key || ' ' || verdict from user_verdicts where verdict is not null "
        "union all "
        "select 'event ' || key || ' ' || verdict from event_verdicts where verdict is not null "
        "order by 1"
    ).fetchall()
    every = [*wrong, *(text for (text,) in found)]
    return Proof(users, flagged, events, values, len(every), tuple(every[:SHOWN]))


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
