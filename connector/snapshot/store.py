"""The state file of one mapping and target, and the connection that all row work happens on.

The connection sees two databases: `state`, the file that lasts, and its own memory, where this read
is staged. What the memory limit has no room for spills to a private folder that is wiped before and
after. It is locked in: expressions of a mapping run here, and reach no file and no setting.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

import duckdb

from connector.errors import Locked, StateError, first_line
from connector.leftovers import PrivateFolder, wipe
from connector.memory import MEMORY_LIMIT, memory_limit
from connector.sql import literal

FORMAT = 2
"""Version of the tables in a state file; an older one is migrated, a newer one refused."""

OLDEST = 1
"""The oldest version that can still be migrated."""

ANEW = (
    "restore it from a backup, or move it away: `connector sync` makes it anew "
    "and sends everything again"
)
"""The way out of a state file that cannot be read. Not `--rebaseline`: it would take for sent what
changed since."""

ROOM = "connector.snapshot"

_SLOW_COMPRESSION = "dict_fsst"
"""Not used for what is written: it halves the state file, and takes as long as all else together
that a first sync writes."""

_PATIENCE = 3.0
"""Seconds to wait for a file that somebody looks into for a moment: a plan, a list of rejects."""

_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class StatePaths:
    """Where one mapping keeps its state: `<folder>/<mapping>.duckdb`, and what is staged."""

    folder: Path
    mapping: str

    @property
    def file(self) -> Path:
        """The state file. Any mapping name is a file name: it is percent-encoded."""
        return self.folder / f"{quote(self.mapping, safe=' ')}.duckdb"

    @property
    def stages(self) -> Path:
        """Where the private folders lie that staged rows spill to."""
        return self.folder / ".stage"


class Store:
    """An open state file with its stage; `connection` is where the SQL of this room runs."""

    def __init__(self, paths: StatePaths, connection: duckdb.DuckDBPyConnection) -> None:
        self.paths = paths
        self.connection = connection

    def execute(self, name: str, /, *, room: str = ROOM, **parameters: Any) -> None:
        """Run `sql/<name>.sql` of a room, each statement with the parameters that it names."""
        for statement in statements(name, room):
            used = {key: parameters[key] for key in _parameters(statement)}
            self.connection.execute(statement, used)

    def fetch(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        return self.connection.execute(sql, parameters).fetchall()

    def meta(self, name: str) -> str | None:
        """A remembered setting of this state file."""
        rows = self.fetch("SELECT value FROM state.meta WHERE name = ?", [name])
        return rows[0][0] if rows else None

    def remember(self, **values: str | None) -> None:
        """Set remembered settings; None forgets one."""
        self.connection.execute("BEGIN")
        for name, value in values.items():
            self.connection.execute("DELETE FROM state.meta WHERE name = ?", [name])
            if value is not None:
                self.connection.execute("INSERT INTO state.meta VALUES (?, ?)", [name, value])
        self.connection.execute("COMMIT")


def statements(name: str, room: str = ROOM) -> list[str]:
    """The statements of `sql/<name>.sql` of a room."""
    text = (files(room) / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    without_comments = "\n".join(
        line for line in text.splitlines() if not line.lstrip().startswith("--")
    )
    return [part.strip() for part in without_comments.split(";") if part.strip()]


def _parameters(statement: str) -> set[str]:
    return set(re.findall(r"\$(\w+)", statement))


@contextmanager
def open_store(
    paths: StatePaths, *, keep: bool = True, origin: Path | None = None
) -> Iterator[Store]:
    """Open the state of a mapping, making it when there is none.

    `origin` is a database file to be scanned where it lies: it is attached, read-only, as `origin`.
    With `keep=False` nothing is made: where there is no state file yet, an empty one in memory
    stands in for it.

    Raises:
        Locked: another process has it open.
        StateError: it cannot be read or written, or is of another format.
    """
    in_memory = not keep and not paths.file.exists()
    with _folder_errors(paths):
        private_folder(paths.folder)
        private_folder(paths.stages)
        stage = PrivateFolder(paths.stages, "stage")
    connection = duckdb.connect(
        config={
            "temp_directory": str(stage.path / "spill"),
            "memory_limit": memory_limit(),
            "arrow_lossless_conversion": True,
            "preserve_insertion_order": True,
        }
    )
    try:
        _attach_state(connection, paths, in_memory=in_memory)
        try:
            with _folder_errors(paths):
                _wipe_leftovers(paths, in_memory=in_memory)
            _lock_in(connection, origin)
            store = Store(paths, connection)
            with state_errors(paths):
                _prepare(store)
                yield store
        finally:
            connection.close()
            if not in_memory:
                _restrict(paths)
    finally:
        connection.close()
        stage.close()


_OF_THE_FILE = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.SerializationException,
    duckdb.TransactionException,
)
"""What a disk that is full, or a file that is damaged, makes of any statement."""


@contextmanager
def state_errors(paths: StatePaths) -> Iterator[None]:
    """Turn what a full disk or a damaged file makes of any statement into a StateError."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise StateError(
            f"comparing the rows of {paths.mapping!r} takes more than {memory_limit()} of memory, "
            "or more disk than there is beside the state",
            hint=f"give it more by the environment variable {MEMORY_LIMIT}, or free disk space",
        ) from error
    except _OF_THE_FILE as error:
        raise StateError(
            f"the state file {paths.file} or its stage cannot be used: {first_line(error)}",
            hint="look for a full disk; a damaged file is restored from a backup, or moved away "
            "and made anew by `connector sync`, which sends everything again",
        ) from error


@contextmanager
def _folder_errors(paths: StatePaths) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(
            f"the state folder {paths.folder} cannot be written: {error.strerror}",
            hint="make it writable, or set `state: {path: …}` in project.yaml",
        ) from error


def _attach_state(
    connection: duckdb.DuckDBPyConnection, paths: StatePaths, *, in_memory: bool
) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET disabled_compression_methods = {literal(_SLOW_COMPRESSION)}")
    where = ":memory:" if in_memory else str(paths.file)
    deadline = monotonic() + _PATIENCE
    while True:
        try:
            connection.execute(f"ATTACH {literal(where)} AS state")
            break
        except duckdb.Error as error:
            # The one is said of another process, the other of this one.
            if not any(said in str(error) for said in ("set lock on file", "already attached")):
                raise _unreadable(paths, error) from error
            if monotonic() > deadline:
                raise Locked(
                    f"{paths.mapping!r} is being synced by another process",
                    hint="wait for it to end; `connector status` shows it",
                ) from error
        sleep(_LOOK)
    _restrict(paths)


def _lock_in(connection: duckdb.DuckDBPyConnection, origin: Path | None) -> None:
    if origin is not None:
        connection.execute(f"ATTACH {literal(str(origin))} AS origin (READ_ONLY)")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _unreadable(paths: StatePaths, error: duckdb.Error) -> StateError:
    reason = first_line(error)
    return StateError(
        f"the state file {paths.file} cannot be opened: {reason}",
        hint=ANEW,
    )


def _prepare(store: Store) -> None:
    """Make, check or migrate the tables, and finish what a dead process left in the journal."""
    rows = store.fetch(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'state' AND table_name = 'meta'"
    )
    if not rows[0][0]:
        for statement in ["BEGIN", *statements("schema"), "COMMIT"]:
            store.connection.execute(statement)
        store.remember(format=str(FORMAT))
    check_format(store.paths.file, store.meta("format"))
    if store.meta("format") == "1":
        store.execute("migrate_1")
    merge(store)


def check_format(file: Path, found: str | None) -> None:
    """Refuse a state file that this version cannot take over; one that was only begun has none.

    Raises:
        StateError: it is too new, or too old.
    """
    if found is None:
        return
    if int(found) > FORMAT:
        raise StateError(
            f"the state file {file} is of format {found}; this version knows {FORMAT}",
            hint="use the newer connector that wrote it",
        )
    if int(found) < OLDEST:
        raise StateError(
            f"the state file {file} is of format {found}; this version reads {OLDEST} and later",
            hint="open it once with a version in between, or move it away: `connector sync` makes "
            "it anew and sends everything again",
        )


def merge(store: Store) -> None:
    """Bring the snapshot up to date with the journal."""
    if store.fetch("SELECT count(*) FROM state.journal")[0][0]:
        store.execute("merge")


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)


def _restrict(paths: StatePaths) -> None:
    for path in (paths.file, Path(f"{paths.file}.wal")):
        if path.exists() and path.stat().st_uid == os.getuid():
            path.chmod(0o600)


def _wipe_leftovers(paths: StatePaths, *, in_memory: bool) -> None:
    """Remove what killed processes left, of this mapping and of others."""
    wipe(paths.stages)
    # Earlier versions staged here, and whoever has the state file open had it to themselves.
    unlocked = paths.stages / paths.file.stem
    if not in_memory and unlocked.exists():
        shutil.rmtree(unlocked)
