"""A project in a folder with a DuckDB warehouse: what everything that drives one can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from connector.project import Project, load_project


class OnDisk:
    """`folder` takes the warehouse, the mappings and the state; the target is called `far`."""

    folder: Path

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def state(self) -> Path:
        """The state folder of the target."""
        return self.folder / "state" / "far"

    def write(self, *statements: str) -> None:
        """Change the warehouse."""
        with duckdb.connect(str(self.warehouse)) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def project(self) -> Project:
        return load_project(self.folder / "mappings")
