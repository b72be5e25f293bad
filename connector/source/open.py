"""From the settings of a source to the source itself."""

from __future__ import annotations

from connector.source.base import Source
from connector.source.settings import (
    DuckDBSettings,
    FilesSettings,
    SnowflakeSettings,
    SourceSettings,
)


def open_source(settings: SourceSettings) -> Source:
    """Open a source for reading. The code and the driver of a kind are imported when it is opened.

    Raises:
        SourceError: it is not there, or not ours to read, or its driver is not installed.
    """
    if isinstance(settings, DuckDBSettings):
        from connector.source.duckdb import DuckDBSource

        return DuckDBSource(settings)
    if isinstance(settings, FilesSettings):
        from connector.source.files import FilesSource

        return FilesSource(settings)
    if isinstance(settings, SnowflakeSettings):
        from connector.source.snowflake import SnowflakeSource

        return SnowflakeSource(settings)
    from connector.source.sqlalchemy import open_url

    return open_url(settings)
