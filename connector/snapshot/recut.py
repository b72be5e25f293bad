"""State files of other shards made out of those there are, row by row of the same keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from connector.errors import UsageError
from connector.shard import Shard, split_name
from connector.snapshot.store import StatePaths, open_store, state_errors
from connector.sql import identifier, literal

_SAME = ("types", "cursor")
_EARLIEST = ("watermark", "horizon")
"""Where shards had come to different times, the earliest: rows in between are looked at again."""

_MIXED = "several"
"""Stands for fingerprints of several versions of DuckDB: rows are then compared by what lasts."""


@dataclass(frozen=True, slots=True)
class Recut:
    """A state as it is now: its name, and how many keys it knows."""

    name: str
    keys: int


def recut(old: Sequence[StatePaths], new: Sequence[StatePaths]) -> list[Recut]:
    """Fill new state files from old ones, each with the keys of its shard; the old ones stay.

    Raises:
        UsageError: events were read up to a time in some of the old ones only.
        StateError: a file cannot be read or written.
    """
    done = []
    for paths in old:
        with open_store(paths):  # brought up to date with its journal, and of this format
            pass
    for paths in new:
        with open_store(paths):
            pass
        with state_errors(paths), duckdb.connect() as connection:
            connection.execute(f"ATTACH {literal(str(paths.file))} AS fresh")
            for number, each in enumerate(old):
                connection.execute(f"ATTACH {literal(str(each.file))} AS old_{number} (READ_ONLY)")
            done.append(_fill(connection, paths, len(old)))
    return done


def _fill(connection: duckdb.DuckDBPyConnection, paths: StatePaths, olds: int) -> Recut:
    shard = split_name(paths.mapping)[1] or Shard(1, 1)
    connection.execute("BEGIN")
    for table in _tables(connection):
        name = identifier(table)
        for number in range(olds):
            connection.execute(
                f"INSERT INTO fresh.{name} BY NAME FROM old_{number}.{name} "
                f"WHERE {shard.condition('key')}"
            )
    [keys] = _one(connection, "SELECT count(*) FROM fresh.snapshot WHERE NOT deleted")
    settings = _settings(connection, olds) | {"rows": str(keys)}
    connection.executemany("INSERT INTO fresh.meta VALUES (?, ?)", list(settings.items()))
    connection.execute("COMMIT")
    return Recut(paths.mapping, keys)


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT table_name FROM duckdb_columns() WHERE database_name = 'fresh' "
        "AND column_name = 'key' ORDER BY table_name"
    ).fetchall()
    return [name for (name,) in rows]


def _settings(connection: duckdb.DuckDBPyConnection, olds: int) -> dict[str, str]:
    """What is remembered of the old files, for one made of all of them."""
    found = [
        dict(connection.execute(f"SELECT name, value FROM old_{number}.meta").fetchall())  # noqa: S608 - a number
        for number in range(olds)
    ]
    settings = {name: each[name] for each in found for name in _SAME if name in each}
    for name in _EARLIEST:
        known = [int(each[name]) for each in found if name in each]
        if known and len(known) < olds:
            raise UsageError(
                "some of the shards were never synced to their end",
                hint="sync all of them first: events already sent would be sent again otherwise",
            )
        if known:
            settings[name] = str(min(known))
    engines = {each["fingerprint_engine"] for each in found if "fingerprint_engine" in each}
    if engines:
        settings["fingerprint_engine"] = engines.pop() if len(engines) == 1 else _MIXED
    return settings


def hashed_keys(paths: StatePaths, inner: bytes, outer: bytes, hashes: Sequence[str]) -> list[str]:
    """Which of these keyed hashes are of keys that a state knows."""
    with open_store(paths) as store:
        rows = store.fetch(
            "SELECT h FROM (SELECT sha256($outer::BLOB || unhex(sha256($inner::BLOB || "
            "encode(key)))) AS h FROM (SELECT key FROM state.snapshot "
            "UNION SELECT key FROM state.unsettled)) WHERE list_contains($hashes, h)",
            {"inner": inner, "outer": outer, "hashes": list(hashes)},
        )
    return [found for (found,) in rows]


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    return connection.execute(sql).fetchone() or (0,)
