"""The control store: runs, leases and suppressions of one target."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, delete, func, insert, select
from sqlalchemy import update as update_
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from connector.control import tables
from connector.control.engine import clock, insert_missing, now, open_engine
from connector.control.hashing import UidHasher
from connector.errors import StateError

_PATIENCE = 10.0
"""Seconds to wait for a server that is away for a moment: it restarts, another takes its place."""

_LOOK = 0.25


def control_file(folder: Path) -> Path:
    """Where the control store of a target lies, when it is SQLite."""
    return folder / "control.db"


class ControlStore:
    """Opens the store of a target, making its tables when there are none.

    Raises:
        StateError: it cannot be reached, or was written by a newer version.
    """

    def __init__(self, folder: Path, target: str, url: SecretStr | None = None) -> None:
        self.target = target
        self._where = "the control store" if url else str(control_file(folder))
        if url is None:
            _private(folder)
        self._engine = open_engine(control_file(folder), url)
        with self._errors():
            self._prepare()

    @property
    def engine(self) -> Engine:
        """The engine behind it, for the modules of this room."""
        return self._engine

    @property
    def _is_file(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    def _prepare(self) -> None:
        for patience in reversed(range(10)):
            try:
                tables.metadata.create_all(self._engine)
                break
            except DatabaseError as error:
                # Another process may have made a table between the look and the making.
                unreached = isinstance(error, OperationalError) and not self._is_file
                if unreached or not patience:
                    raise
                sleep(0.1)
        found = int(self._setting("format", str(tables.FORMAT)))
        if found > tables.FORMAT:
            raise StateError(
                f"{self._where} is of format {found}; this version knows {tables.FORMAT}",
                hint="use the newer connector that wrote it",
            )

    def _setting(self, name: str, default: str) -> str:
        """A setting of the store; the first process to ask settles it for all."""
        chosen = select(tables.settings.c.value).where(tables.settings.c.name == name)
        with self._engine.begin() as connection:
            value = connection.scalar(chosen)
            if value is None:
                row = {"name": name, "value": default}
                insert_missing(connection, tables.settings, [row])
                value = connection.scalar(chosen)
        return str(value)

    def close(self) -> None:
        """Give back connections."""
        self._engine.dispose()

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction. A server that cannot be reached is waited for a little before it."""
        with self._errors(), self._connect() as connection, connection.begin():
            yield connection

    def _connect(self) -> Connection:
        deadline = monotonic() + _PATIENCE
        while True:
            try:
                return self._engine.connect()
            except OperationalError:
                if self._is_file or monotonic() > deadline:
                    raise
            sleep(_LOOK)

    def time(self) -> datetime:
        """What time it is for all who share this store; naive UTC."""
        with self.begin() as connection:
            return clock(connection)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            reason = (str(getattr(error, "orig", None) or error).splitlines() or ["?"])[0]
            raise StateError(
                f"{self._where} cannot be used: {reason}",
                hint=_way_out(reason, is_file=self._is_file),
            ) from None

    def hasher(self) -> UidHasher:
        """Hashes uids the way this store's suppressions are hashed."""
        with self._errors():
            return UidHasher(bytes.fromhex(self._setting("uid_key", secrets.token_hex(32))))

    def suppressed(self) -> Sequence[str]:
        """Hashes of the uids that may not be sent."""
        wanted = select(tables.suppressions.c.uid_hash).where(
            tables.suppressions.c.target == self.target
        )
        with self.begin() as connection:
            return connection.scalars(wanted).all()

    def start_run(self, run_id: str, mapping: str, command: str) -> int:
        """Note that a run of one mapping began; returns its number."""
        values = {
            "run_id": run_id,
            "target": self.target,
            "mapping": mapping,
            "command": command,
            "started_at": now(),
            "status": "running",
            "pending": 0,
            "rejected": 0,
            "report": {},
        }
        with self.begin() as connection:
            result = connection.execute(insert(tables.runs).values(**values))
            key = result.inserted_primary_key
        return int(key[0]) if key else 0

    def finish_run(
        self,
        number: int,
        *,
        status: str,
        pending: int,
        rejected: int,
        seconds: float,
        report: dict[str, Any],
        error: str | None,
    ) -> None:
        """Note how a run ended."""
        values = {
            "finished_at": now(),
            "status": status,
            "pending": pending,
            "rejected": rejected,
            "seconds": seconds,
            "report": report,
            "error": error,
        }
        with self.begin() as connection:
            connection.execute(
                update_(tables.runs).where(tables.runs.c.id == number).values(**values)
            )

    def last_runs(self) -> dict[str, dict[str, Any]]:
        """The latest run of each mapping, by its name."""
        latest = (
            select(func.max(tables.runs.c.id))
            .where(tables.runs.c.target == self.target)
            .group_by(tables.runs.c.mapping)
        )
        with self.begin() as connection:
            rows = connection.execute(select(tables.runs).where(tables.runs.c.id.in_(latest)))
            return {row.mapping: dict(row._mapping) for row in rows}

    def last_success(self) -> dict[str, datetime]:
        """When each mapping was last synced to the end."""
        wanted = (
            select(tables.runs.c.mapping, func.max(tables.runs.c.finished_at))
            .where(tables.runs.c.target == self.target, tables.runs.c.status == "done")
            .group_by(tables.runs.c.mapping)
        )
        with self.begin() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def suppressed_count(self) -> int:
        """How many users are on the list."""
        wanted = select(func.count()).select_from(tables.suppressions)
        with self.begin() as connection:
            found = connection.scalar(wanted.where(tables.suppressions.c.target == self.target))
        return int(found or 0)

    def lift(self, hashes: Sequence[str]) -> int:
        """Take users off the list; returns how many were on it."""
        chosen = delete(tables.suppressions).where(
            tables.suppressions.c.target == self.target,
            tables.suppressions.c.uid_hash.in_(hashes),
        )
        with self.begin() as connection:
            return connection.execute(chosen).rowcount


def _way_out(reason: str, *, is_file: bool) -> str:
    if not is_file:
        return (
            "look whether the database of `state: {control_url: …}` answers; what was not "
            "acknowledged by then is sent again by the next run"
        )
    if "not a database" in reason or "malformed" in reason:
        return "restore it from a backup: it holds who was erased and must not be sent again"
    if "disk is full" in reason:
        return "make room on the disk, and run it again"
    return "make the state folder writable, or mend `state: {control_url: …}`"


def _private(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        # Made before it is opened: SQLite gives the files beside it the mode that it finds.
        control_file(folder).touch(mode=0o600)
        control_file(folder).chmod(0o600)
    except OSError as error:
        raise StateError(
            f"the state folder {folder} cannot be written: {error.strerror}",
            hint="make it writable, or set `state: {path: …}` in project.yaml",
        ) from error
