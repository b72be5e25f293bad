"""What the options of `connector` itself say, and the project and target they choose."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from connector.cli.log import Log
from connector.scrub import secrets_in

if TYPE_CHECKING:
    from connector.destination.target import Target
    from connector.project import Project


@dataclass(slots=True)
class Settings:
    """The options that stand before or after any command, and the name of the command.

    `verbosity` is -1 with `-q`, and otherwise how often `-v` was given. `secrets` are those of what
    was loaded: they are covered in internal errors and tracebacks.
    """

    project: Path = Path("mappings")
    target: str | None = None
    log_format: str = "text"
    verbosity: int = 0
    debug: bool = False
    command: str = ""
    secrets: set[str] = field(default_factory=set, repr=False)

    @property
    def log(self) -> Log:
        """Where everything but data goes."""
        return Log(as_json=self.log_format == "json", quiet=self.verbosity < 0)

    def load(self) -> Project:
        """The project. Raises `ConfigError`."""
        from connector.project import load_project

        return load_project(self.project)

    def choose(self, project: Project) -> Target:
        """The target, with its variables. Raises `UsageError` and `ConfigError`."""
        target = project.target(self.target)
        self.secrets |= set(secrets_in(target))
        if project.control_url is not None:
            self.secrets.add(project.control_url.get_secret_value())
        return target

    def target_name(self, project: Project) -> str:
        """The name of the target, for commands that do not call it and need no key.

        Raises `UsageError`.
        """
        name = self.target or project.default_target
        if name is None or name not in project.target_names:
            return project.target(self.target).name  # says what is wrong
        return name
