"""Control stores of either kind, and what may go wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

import connector.control.engine
from connector.control.store import ControlStore
from tests.support.postgres import Postgres, start

Opening = Callable[[], ControlStore]


@pytest.fixture(params=["sqlite", "postgresql"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opening]:
    """Opens the same store again and again, each time as another process would."""
    url = None
    if request.param == "postgresql":
        server = start()
        url = SecretStr(server.url(server.database()))
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(ControlStore(tmp_path, "far", url)))


@pytest.fixture
def store(opening: Opening) -> ControlStore:
    return opening()


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[tuple[Postgres, str, Opening]]:
    """A server, the name of a database of it, and a store therein."""
    server = start()
    database = server.database()
    url = SecretStr(server.url(database))
    with ExitStack() as opened:
        yield (
            server,
            database,
            lambda: opened.enter_context(closing(ControlStore(tmp_path, "far", url))),
        )


def skew(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Let this process's clock be wrong, for whatever of the control store looks at it."""
    right = connector.control.engine.now

    def wrong() -> datetime:
        return right() + by

    for module in ("engine", "store", "lease", "sharing", "erasures"):
        monkeypatch.setattr(f"connector.control.{module}.now", wrong, raising=False)


def away(server: Postgres, database: str, *, is_away: bool) -> None:
    """Let nobody into a database, and throw everybody out."""
    allowed = "false" if is_away else "true"
    server.run(
        "postgres",
        f"ALTER DATABASE {database} ALLOW_CONNECTIONS {allowed}",
        "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity "  # noqa: S608 - ours
        f"WHERE datname = '{database}'",
    )
