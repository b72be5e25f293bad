"""What the API keeps: one SQLite file that survives a restart, a kill, and can be looked at.

All writes happen on the event loop's thread, in one open transaction that is committed as soon as
the loop has no more requests at hand (group commit). A request is answered after the commit that
holds its rows; a committed row is in the write-ahead log, which the system keeps when the process
is killed. It is not synced to disk: a power cut may cost the file, and a sandbox is no archive, but
no request ever waits for a disk.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from connector.sandbox.rules import Resource, dump
from connector.sandbox.settings import Upsert

FORMAT = 1

SCHEMA = """
create table users (
  uid text primary key, created_at text not null, is_deleted integer not null, body text not null
) without rowid;
create table events (
  id text primary key, type text not null, uid text, ingested_at text not null, body text not null
);
create index events_by_uid on events (uid) where uid is not null;
create table types (
  resource text not null, field text not null, type text not null, primary key (resource, field)
) without rowid;
create table tally (name text primary key, count integer not null) without rowid;
"""

TALLIES = ("deleted_users", "deleted_events", "repeats", "conflicting_repeats")


class NotASandboxFile(Exception):  # noqa: N818 - named for what was found
    """The file is no database of a sandbox, or one of a newer version."""


class CommitFailed(Exception):  # noqa: N818 - named for what happened
    """What a request wrote was given up together with all that waited for the same commit."""


def now() -> str:
    """The current time as the API writes it: ISO-8601, milliseconds, `Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Store:
    """Users, events and field types in one file. Not for use from several threads.

    Raises `NotASandboxFile` when `path` holds something else.
    """

    def __init__(self, path: Path, upsert: Upsert) -> None:
        self._path = path
        self._replace = upsert == "replace"
        self._db = self._open()
        self._commit: asyncio.Future[None] | None = None
        self._load()

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
        except OSError as error:
            reason = error.strerror or error
            raise NotASandboxFile(f"{self._path} cannot be written: {reason}") from None
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = off")
            db.execute("pragma wal_autocheckpoint = 4000")
            db.execute("pragma cache_size = -65536")
            version = db.execute("pragma user_version").fetchone()[0]
            if version == 0 and not db.execute("select 1 from sqlite_schema").fetchone():
                db.executescript(f"begin; {SCHEMA} pragma user_version = {FORMAT}; commit;")
                version = FORMAT
        except sqlite3.DatabaseError as error:
            db.close()
            raise NotASandboxFile(f"{self._path} is no sandbox database: {error}") from None
        if version != FORMAT:
            db.close()
            raise NotASandboxFile(
                f"{self._path} is no sandbox database of format {FORMAT}: its format is {version}"
            )
        return db

    def _load(self) -> None:
        """Read what is kept in memory: field types and counts, never bodies."""
        self.users = Resource.users()
        self.events = Resource.events()
        for resource, field, kind in self._db.execute("select resource, field, type from types"):
            (self.users if resource == "users" else self.events).known[field] = kind
        self._by_type = Counter(
            dict(self._db.execute("select type, count(*) from events group by type"))
        )
        self._by_state = Counter(
            dict(self._db.execute("select is_deleted, count(*) from users group by is_deleted"))
        )
        self._tally = Counter(dict(self._db.execute("select name, count from tally")))

    # Transactions

    def _begin(self) -> sqlite3.Connection:
        if not self._db.in_transaction:
            self._db.execute("begin immediate")
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_soon(self._commit_now)
        return self._db

    async def committed(self) -> None:
        """Return once everything written so far is committed. Raises `CommitFailed`."""
        if self._commit is not None:
            await asyncio.shield(self._commit)

    def _commit_now(self) -> None:
        if self._commit is None:
            return
        try:
            self.flush()
        except sqlite3.Error as error:
            self.abandon(error)
        else:
            self._commit.set_result(None)
            self._commit = None

    def abandon(self, error: sqlite3.Error) -> None:
        """Give up what is not committed: everybody who waits for it is told the error."""
        if self._db.in_transaction:
            self._db.execute("rollback")
        self._load()
        if self._commit is not None:
            self._commit.set_exception(CommitFailed(str(error)))
            self._commit.exception()
            self._commit = None

    def flush(self) -> None:
        """Commit now."""
        if self._db.in_transaction:
            self._db.execute("commit")

    def close(self) -> None:
        """Commit and close; the file then stands alone, without its write-ahead log."""
        self.flush()
        self._db.close()

    def _count(self, name: str, by: int) -> None:
        if by:
            self._tally[name] += by
            self._db.execute(
                "insert into tally values (?, ?) "
                "on conflict (name) do update set count = excluded.count",
                (name, self._tally[name]),
            )

    def learn(self, resource: Resource, fresh: dict[str, str]) -> None:
        """Keep the types that accepted records have given to fields."""
        if fresh:
            resource.known.update(fresh)
            self._begin().executemany(
                "insert into types values (?, ?, ?)",
                [(resource.name, field, kind) for field, kind in fresh.items()],
            )

    # Users

    def put_user(self, user: dict[str, Any]) -> bool:
        """Upsert one valid user; returns whether it is new. Raises `FieldError` from `dump`."""
        uid = user["uid"]
        row = self._db.execute(
            "select body, is_deleted from users where uid = ?", (uid,)
        ).fetchone()
        before: dict[str, Any] = json.loads(row[0]) if row else {}
        stored = {"uid": uid} | user if self._replace else before | user
        written = now()
        if stored.get("created_at") is None:
            stored["created_at"] = before.get("created_at", written)
        stored["updated_at"] = written
        if stored.get("is_deleted") is None:
            stored["is_deleted"] = False
        stored["_table"] = "users"
        self._begin().execute(
            "insert into users values (?, ?, ?, ?) on conflict (uid) do update set "
            "created_at = excluded.created_at, is_deleted = excluded.is_deleted, "
            "body = excluded.body",
            (uid, str(stored["created_at"]), stored["is_deleted"], dump(stored)),
        )
        if row:
            self._by_state[row[1]] -= 1
        self._by_state[int(stored["is_deleted"])] += 1
        return row is None

    def delete_user(self, uid: str) -> bool:
        """Remove a user's profile and events for good; returns whether there was anything."""
        db = self._begin()
        gone = db.execute("delete from users where uid = ? returning is_deleted", (uid,)).fetchall()
        events = db.execute("delete from events where uid = ? returning type", (uid,)).fetchall()
        self._by_state.subtract(state for (state,) in gone)
        self._by_type.subtract(kind for (kind,) in events)
        self._count("deleted_users", len(gone))
        self._count("deleted_events", len(events))
        return bool(gone or events)

    def user(self, uid: str) -> str | None:
        """A user's stored object as JSON."""
        row = self._db.execute("select body from users where uid = ?", (uid,)).fetchone()
        return None if row is None else row[0]

    # Events

    def put_events(self, events: Sequence[tuple[dict[str, Any], str]]) -> None:
        """Store valid events, each with its JSON. The first of an id stays; repeats are counted.

        A repeat whose content differs from what is stored is counted as conflicting as well.
        """
        db = self._begin()
        ingested = now()
        repeats = conflicts = 0
        for event, body in events:
            inserted = db.execute(
                "insert or ignore into events values (?, ?, ?, ?, ?)",
                (event["id"], event["type"], event.get("uid"), ingested, body),
            ).rowcount
            if inserted:
                self._by_type[event["type"]] += 1
            else:
                repeats += 1
                conflicts += self._conflicts(event)
        self._count("repeats", repeats)
        self._count("conflicting_repeats", conflicts)

    def _conflicts(self, event: dict[str, Any]) -> bool:
        row = self._db.execute("select body from events where id = ?", (event["id"],)).fetchone()
        return bool(json.loads(row[0]) != event)

    def event(self, event_id: str) -> str | None:
        """An event's stored object as JSON."""
        row = self._db.execute(
            "select body, ingested_at from events where id = ?", (event_id,)
        ).fetchone()
        return None if row is None else _with_ingest_timestamp(*row)

    # Everything

    def counts(self) -> dict[str, Any]:
        """Totals of what is stored, and of what was deleted and repeated since the file began."""
        kinds = {kind: count for kind, count in sorted(self._by_type.items()) if count}
        return {
            "users": self._by_state[0] + self._by_state[1],
            "live": self._by_state[0],
            "soft_deleted": self._by_state[1],
            "events": sum(kinds.values()),
            "events_by_type": kinds,
            **{name: self._tally[name] for name in TALLIES},
        }

    def types(self) -> dict[str, dict[str, str]]:
        """The type of every field, reserved ones included, per resource."""
        return {"users": dict(self.users.known), "events": dict(self.events.known)}

    def export(self, resource: Literal["users", "events"]) -> Iterator[bytes]:
        """All committed objects, ordered by uid or id, as NDJSON in pieces; for another thread."""
        return _export(self._path, resource)

    def reset(self) -> None:
        """Forget everything: rows, types, counts."""
        db = self._begin()
        for table in ("users", "events", "types", "tally"):
            db.execute(f"delete from {table}")  # noqa: S608 - our own four names
        self.flush()
        self._load()


EXPORTS = {
    "users": "select body, null from users order by uid",
    "events": "select body, ingested_at from events order by id",
}


def _export(path: Path, resource: str) -> Iterator[bytes]:
    with closing(sqlite3.connect(path, check_same_thread=False)) as db:
        rows = db.execute(EXPORTS[resource])
        while page := rows.fetchmany(1000):
            lines = (
                body if ingested is None else _with_ingest_timestamp(body, ingested)
                for body, ingested in page
            )
            yield "".join(line + "\n" for line in lines).encode()


def _with_ingest_timestamp(body: str, ingested: str) -> str:
    return f'{body[:-1]},"ingest_timestamp":"{ingested}"}}'
