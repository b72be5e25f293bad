"""A project whose warehouse a test fills, a sandbox to send drafts to, and the real data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml

from connector.drafting import Draft, Wanted, draft_mapping
from connector.errors import ConfigError
from connector.mapping.rules import Kind
from connector.prepare import bind
from connector.project import Project, load_project
from connector.report import MappingReport
from connector.sandbox import Sandbox
from connector.sync import sync
from tests.support.project_folder import ProjectFolder

REAL = Path(__file__).parents[3].parent / "shared" / "data"

PROJECT = """\
sources:
  warehouse: {{type: duckdb, path: warehouse.duckdb}}
  files: {{type: files, path: "{files}"}}
targets:
  far: {{base_url: "{url}", api_key: sandbox}}
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where drafts are made."""

    folder: Path
    sandbox: Sandbox

    def sql(self, *statements: str) -> None:
        with duckdb.connect(self.folder / "warehouse.duckdb") as connection:
            for statement in statements:
                connection.execute(statement)

    @property
    def project(self) -> Project:
        return load_project(self.folder / "mappings")

    def draft(
        self,
        kind: str,
        table: str,
        *,
        source: str = "warehouse",
        name: str | None = None,
        key: str | None = None,
    ) -> Draft:
        """A draft, written."""
        wanted = Wanted(source, table, Kind(kind), name, key)
        draft = draft_mapping(self.project, wanted)
        draft.write()
        return draft

    def sync(self) -> dict[str, MappingReport]:
        project = self.project
        report = sync(project, project.select(), target=project.target())
        return {each.name: each for each in report.mappings}

    def takes_every_offer(self, draft: Draft) -> None:
        """The draft is valid as it is, and with every field that it offers."""
        taken = offered(draft)
        draft.file.write_text(taken)
        project = self.project
        try:
            with bind(project, project.mapping(draft.file.stem)):
                pass
        except ConfigError as error:
            raise AssertionError(f"{error}\n{taken}") from error
        draft.file.write_text(draft.text)


def offered(draft: Draft) -> str:
    """The text of a draft with the # taken out in front of every field."""
    lines = []
    within = False
    for line in draft.text.splitlines():
        within = (within and line != "") or "Not sent yet" in line
        is_offer = within and line.startswith("  # ") and "(" not in line[:5]
        lines.append(f"  {line[4:]}" if is_offer and "Not sent" not in line else line)
    return "\n".join(lines) + "\n"


def fields(draft: Draft) -> dict[str, object]:
    """The fields that a draft sends, as YAML reads them."""
    document = yaml.safe_load(draft.text)
    return dict(document["fields"])


def head(draft: Draft) -> dict[str, object]:
    """Everything else that it says."""
    document = yaml.safe_load(draft.text)
    return {key: value for key, value in document.items() if key not in {"fields", "version"}}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Sandbox() as sandbox:
        files = REAL if REAL.is_dir() else tmp_path
        ProjectFolder(tmp_path, PROJECT.format(url=sandbox.base_url, files=files))
        desk = Desk(tmp_path, sandbox)
        desk.sql("create macro moment(n) as timestamp '2026-03-01' + to_minutes(n::integer)")
        yield desk
