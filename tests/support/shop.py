"""A small project over a DuckDB file and the sandbox it sends to, driven by the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector.cli.main import run
from connector.sandbox import Sandbox
from tests.support.project_folder import ProjectFolder

PROJECT = """\
sources:
  warehouse: {{type: duckdb, path: warehouse.duckdb}}
default_target: local
targets:
  local: {{base_url: "{url}", api_key: sandbox}}
  other: {{base_url: "{url}", api_key: "${{NO_SUCH_KEY}}"}}
"""

USERS = """\
kind: users
source: warehouse
table: users
fields: {uid: id, country: country, total_orders: orders}
"""

CLICKS = """\
kind: events
source: warehouse
table: clicks
type: click
fields: {id: id, original_timestamp: at, uid: uid, item_id: item, click_type: {value: open}}
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def mapping(self, name: str) -> Any:
        (found,) = (each for each in self.json["mappings"] if each["name"] == name)
        return found


class Shop:
    """The project in the current folder: 20 users and 30 clicks."""

    def __init__(self, folder: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.files = ProjectFolder(folder, PROJECT.format(url=sandbox.base_url))
        self.files.write("users.yaml", USERS)
        self.files.write("clicks.yaml", CLICKS)
        self._capsys = capsys
        self.sql(
            "create table users as select 'u_' || n as id, 'NO' as country, n as orders "
            "from range(20) as t(n)",
            "create table clicks as select 'c_' || n as id, 'u_' || (n % 20) as uid, "
            "timestamp '2026-03-01' + to_seconds(n) as at, 'sku_' || n as item "
            "from range(30) as t(n)",
        )

    def sql(self, *statements: str) -> None:
        """Change the warehouse."""
        with duckdb.connect(self.folder / "warehouse.duckdb") as connection:
            for statement in statements:
                connection.execute(statement)

    def __call__(self, *arguments: str) -> Outcome:
        """Run a command in this process."""
        self._capsys.readouterr()
        code = run(arguments)
        return Outcome(code, *self._capsys.readouterr())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run a command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "connector.cli", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
