"""The sources of a project, each opened once for all that is looked at in them."""

from __future__ import annotations

from types import TracebackType

from connector.project import Project
from connector.source.base import Source
from connector.source.open import open_source


class Sources:
    """Opens sources as they are asked for, and closes them together.

    For a look at many mappings that takes a moment: a sync lets go of each source as soon as it
    can, for a database file that is being read cannot be written.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._opened: dict[str, Source] = {}

    def __enter__(self) -> Sources:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        for source in self._opened.values():
            source.close()

    def __contains__(self, name: str) -> bool:
        """Whether the source is open."""
        return name in self._opened

    def open(self, name: str) -> Source:
        """A source by name, opened now unless it is.

        Raises:
            ConfigError: its settings make no sense.
            SourceError: it cannot be opened.
        """
        if name not in self._opened:
            self._opened[name] = open_source(self.project.source(name))
        return self._opened[name]
