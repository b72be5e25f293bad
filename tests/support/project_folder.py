"""A project folder on disk, written and loaded by tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from connector.errors import ConfigError
from connector.project import Project, load_project

PROJECT = """\
sources:
  warehouse: {type: duckdb, path: data/warehouse.duckdb}
  files: {type: files, path: data/}
targets:
  sandbox: {base_url: "http://127.0.0.1:8787/v1", api_key: sandbox}
"""


def project_file(source: str) -> str:
    """A project with the one source `w`, whose settings are given as YAML."""
    return f"sources: {{w: {{{source}}}}}\n" + PROJECT[PROJECT.index("targets:") :]


class ProjectFolder:
    """`mappings/` below a parent folder; texts are dedented."""

    def __init__(self, parent: Path, project: str = PROJECT) -> None:
        self.path = parent / "mappings"
        self.write("project.yaml", project)

    def write(self, name: str, text: str | bytes) -> Path:
        """One file of the folder."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        return file

    def load(self, environment: Mapping[str, str] | None = None) -> Project:
        """The project, without any variable unless given."""
        return load_project(self.path, environment=environment or {})

    def mistakes(self, environment: Mapping[str, str] | None = None) -> list[str]:
        """What is wrong with the project, as it is printed: `m.yaml:1:1: …`."""
        try:
            self.load(environment)
        except ConfigError as error:
            return [str(problem).removeprefix("mappings/") for problem in error.problems]
        return []
