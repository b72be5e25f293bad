"""The database behind the control store: how it is reached, and what time it is there."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    func,
    insert,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError

from connector.errors import StateError

_POSTGRESQL = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""What keeps a network that swallows packets from being waited for: seconds, the last in ms."""

_WRITE_IT = "write dialect://user:password@host/database, what is special in them percent-encoded"


def now() -> datetime:
    """The current time of this machine as the store keeps times: naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def clock(connection: Connection) -> datetime:
    """The time that everybody who shares the store agrees on, naive UTC: its database's own.

    Whatever is compared between processes goes by this: clocks of machines differ.
    """
    dialect = connection.dialect.name
    if dialect == "sqlite":
        return now()  # a file of this machine, and this machine's clock
    reading = func.clock_timestamp() if dialect == "postgresql" else func.current_timestamp()
    moment = connection.scalar(select(reading))
    if not isinstance(moment, datetime):
        raise StateError("the database of the control store does not say what time it is")
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def insert_missing(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, but those whose primary key is there already, or comes in at the same instant
    from another process."""
    name = connection.dialect.name
    if name in ("sqlite", "postgresql"):
        anew = sqlite.insert(table) if name == "sqlite" else postgresql.insert(table)
        connection.execute(anew.on_conflict_do_nothing(), rows)
        return
    for row in rows:
        with contextlib.suppress(IntegrityError), connection.begin_nested():
            connection.execute(insert(table).values(row))


def open_engine(file: Path, url: SecretStr | None) -> Engine:
    """An engine for `url`, or for a SQLite file where there is none.

    Raises:
        StateError: the URL makes no sense, or its driver is not installed. The URL is not shown.
    """
    address = _address(url) if url else URL.create("sqlite", database=str(file))
    settings: dict[str, Any] = {"hide_parameters": True}
    if address.get_backend_name() != "sqlite":
        # A connection that the server dropped while it lay idle is not handed out.
        settings["pool_pre_ping"] = True
    if address.drivername in ("postgresql", "postgresql+psycopg"):
        settings["connect_args"] = {
            name: value for name, value in _POSTGRESQL.items() if name not in address.query
        }
    try:
        engine = create_engine(address, **settings)
    except NoSuchModuleError:
        raise StateError(
            f"`control_url`: SQLAlchemy knows no dialect {address.drivername!r}",
            hint="is it spelled right? most dialects come with a package of their own",
        ) from None
    except ImportError as error:
        raise StateError(
            f"`control_url`: the driver {error.name!r} is not installed",
            hint="for PostgreSQL: pip install 'sequen-connector[postgres]'",
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
    return engine


def _address(url: SecretStr) -> URL:
    try:
        address = make_url(url.get_secret_value())
    except (ArgumentError, ValueError):
        raise StateError("`control_url` is no database URL", hint=_WRITE_IT) from None
    if "@" in (address.host or ""):
        # What stands before it is a piece of the password.
        raise StateError("`control_url` has an '@' too many", hint=_WRITE_IT)
    return address


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA busy_timeout = 30000")
    # Deleted rows are overwritten: what was lifted or purged is not left in free pages.
    connection.execute("PRAGMA secure_delete = ON")
