from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

import duckdb
import pytest

from connector.errors import ConfigError
from connector.prepare import bind
from tests.support.project_folder import ProjectFolder, project_file
from tests.support.scanned import Scanned, scan


@dataclass(frozen=True, slots=True)
class Desk:
    """A DuckDB warehouse `w` and one mapping over it, in a project of its own."""

    path: Path
    folder: ProjectFolder

    def table(self, sql: str, name: str = "t") -> None:
        """Make a table of the warehouse from a query."""
        with duckdb.connect(str(self.path / "warehouse.duckdb")) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"CREATE OR REPLACE TABLE {name} AS {sql}")

    def scan(self, mapping: str) -> list[Scanned]:
        """What the mapping makes of every row."""
        self.folder.write("m.yaml", mapping)
        return scan(self.folder.load(), "m", self.path / "state")

    def users(self, fields: str, more: str = "") -> list[Scanned]:
        """What a users mapping of table `t` with these fields makes of every row."""
        return self.scan(_mapping("kind: users", fields, more))

    def events(self, fields: str, more: str = "type: test") -> list[Scanned]:
        """The same of an events mapping."""
        return self.scan(_mapping("kind: events", fields, more))

    def mistakes(self, mapping: str) -> list[str]:
        """What is wrong with the mapping once its source is known, as it is printed."""
        self.folder.write("m.yaml", mapping)
        project = self.folder.load()
        try:
            with bind(project, project.mapping("m")):
                return []
        except ConfigError as error:
            return [str(problem).removeprefix("mappings/") for problem in error.problems]


def _mapping(kind: str, fields: str, more: str) -> str:
    body = indent(dedent(fields), "  ")
    return f"{kind}\nsource: w\ntable: t\n{dedent(more)}\nfields:\n{body}\n"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    desk = Desk(
        tmp_path, ProjectFolder(tmp_path, project_file("type: duckdb, path: warehouse.duckdb"))
    )
    desk.table("SELECT 1 AS unused", "other")
    return desk
