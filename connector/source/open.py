"""From the settings of a source to the source itself."""

from __future__ import annotations

from connector.source.base import Source
from connector.source.duckdb import DuckDBSource
from connector.source.files import FilesSource
from connector.source.settings import DuckDBSettings, SourceSettings


def open_source(settings: SourceSettings) -> Source:
    """Open a source for reading.

    Raises:
        SourceError: it is not there, or not ours to read.
    """
    if isinstance(settings, DuckDBSettings):
        return DuckDBSource(settings)
    return FilesSource(settings)
