# ruff: noqa: S608 - queries over tables of its own
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import duckdb
import pytest

from connector.coverage.cover import DEFAULTS, Options, cover
from connector.coverage.report import CoverageReport, MappingCoverage
from tests.support.project_folder import ProjectFolder

PROJECT = """\
sources:
  warehouse: {type: duckdb, path: warehouse.duckdb}
  files: {type: files, path: files/}
targets:
  sandbox: {base_url: "http://127.0.0.1:8787/v1", api_key: sandbox}
"""


class Warehouse:
    """A project over a DuckDB file, whose mappings are covered in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = ProjectFolder(folder, PROJECT)

    def sql(self, *statements: str) -> None:
        """Change the warehouse."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    def mapping(self, name: str, kind: str, head: str, fields: str) -> Path:
        """Write a mapping over the table of its name; `fields` are lines of YAML."""
        text = f"kind: {kind}\nsource: warehouse\ntable: {name}\n{head}fields:\n"
        return self.files.write(f"{name}.yaml", text + indent(fields.strip("\n"), "  ") + "\n")

    def users(self, rows: str, fields: str, head: str = "") -> Path:
        """A table `users` made of a query, and its mapping."""
        self.sql(f"CREATE OR REPLACE TABLE users AS {rows}")
        return self.mapping("users", "users", head, fields)

    def events(self, name: str, rows: str, fields: str, head: str = "type: click\n") -> Path:
        """A table of events made of a query, and its mapping."""
        self.sql(f"CREATE OR REPLACE TABLE {name} AS {rows}")
        return self.mapping(name, "events", head, fields)

    def cover(self, options: Options = DEFAULTS) -> CoverageReport:
        """The coverage of all mappings."""
        project = self.files.load()
        return cover(project, project.select(), target="sandbox", options=options)

    def one(self, options: Options = DEFAULTS) -> MappingCoverage:
        """The coverage of the only mapping, which can be read."""
        (entry,) = self.cover(options).mappings
        assert entry.error is None, entry.error
        return entry


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


@pytest.fixture
def fill(warehouse: Warehouse) -> Callable[[str, str], int]:
    """Counts the non-empty values of an expression over the column `v` of a query."""

    def count(rows: str, rule: str) -> int:
        warehouse.users(f"SELECT row_number() OVER () AS id, v FROM ({rows}) AS t(v)",
                        f"uid: id\nthing: {rule}")  # fmt: skip
        entry = warehouse.one()
        return round(entry.fills["thing"] * entry.rows)

    return count
