"""What events point at: views, impressions and users that some mapping of the run sends."""

from __future__ import annotations

from typing import Any

import duckdb

from connector.coverage.count import Counts, sent_rows
from connector.coverage.proof import unhashed
from connector.coverage.scratch import Scratch
from connector.mapping.fields import TYPE, column
from connector.mapping.rules import USER_KEY, Kind
from connector.sql import identifier, literal

POINTS_AT = {
    "page_view_id": "page_view",
    "module_view_id": "module_view",
    "impression_id": "impression",
    USER_KEY: "users",
}
"""Fields of an event that are the key of something else: an event type, or the users."""


class Links:
    """Collects keys and references of the mappings of a run, then tells which lead nowhere.

    What is kept is a 64-bit hash a key.
    """

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        scratch.connection.execute("CREATE TABLE keys (kind VARCHAR, key UBIGINT)")
        scratch.connection.execute(
            "CREATE TABLE refs (mapping VARCHAR, field VARCHAR, key UBIGINT, rows BIGINT)"
        )
        self._fields: dict[str, list[str]] = {}

    def collect(self, connection: duckdb.DuckDBPyConnection, counts: Counts) -> None:
        """Take in the keys and the references of one mapping, read from its `source`."""
        chain = counts.chain
        exact = unhashed(chain)
        rows = sent_rows(exact, repeated=bool(counts.repeated))
        mapping = chain.mapping
        if mapping.kind is Kind.USERS:
            users = f"SELECT 'users', hash({identifier(USER_KEY)}) FROM ({rows})"  # noqa: S608 - the compiler's own SQL
            self._scratch.copy(connection, users, "keys")
            return
        type_ = identifier(column(TYPE))
        targets = ", ".join(literal(kind) for kind in POINTS_AT.values())
        self._scratch.copy(
            connection,
            f'SELECT {type_}, hash("$key") FROM ({rows}) WHERE {type_} IN ({targets})',  # noqa: S608 - the compiler's own SQL
            "keys",
        )
        self._fields[mapping.name] = [name for name in POINTS_AT if name in chain.fields]
        for name in self._fields[mapping.name]:
            value = identifier(column(name))
            self._scratch.copy(
                connection,
                f"SELECT {literal(mapping.name)}, {literal(name)}, hash({value}), count(*) "  # noqa: S608 - the compiler's own SQL
                f"FROM ({rows}) WHERE {value} IS NOT NULL GROUP BY {value}",
                "refs",
            )

    def of(self, mapping: str, sent: int) -> dict[str, Any]:
        """For each field of a mapping that points at something: how many events have it, and how
        many of those point at what no mapping of the run sends (None where none sends such)."""
        found = {}
        for name in self._fields.get(mapping, ()):
            kind = POINTS_AT[name]
            rows, lost, known = self._scratch.answer(
                "SELECT coalesce(sum(rows), 0)::BIGINT, "
                "coalesce(sum(rows) FILTER (key NOT IN (SELECT key FROM keys WHERE kind = $kind)), "
                "0)::BIGINT, EXISTS (FROM keys WHERE kind = $kind) "
                "FROM refs WHERE mapping = $mapping AND field = $field",
                {"kind": kind, "mapping": mapping, "field": name},
            )[0]
            found[name] = {
                "points_at": kind,
                "fill": round(rows / sent, 6) if sent else 0.0,
                "rows": rows,
                "orphans": lost if known else None,
            }
        return found
