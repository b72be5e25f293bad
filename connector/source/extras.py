"""Drivers that come with an extra of the package only."""

from __future__ import annotations

from typing import Literal

from connector.errors import SourceError

_DRIVERS = {"postgres": "the driver for PostgreSQL", "snowflake": "the connector of Snowflake"}


def not_installed(source: str, extra: Literal["postgres", "snowflake"]) -> SourceError:
    """What is said of a source whose driver cannot be imported."""
    return SourceError(
        f"source {source!r}: {_DRIVERS[extra]} is not installed",
        hint=f"pip install 'sequen-connector[{extra}]'",
    )
