"""How much memory the row work may take before it goes on in files."""

from __future__ import annotations

import os
import re

from connector.errors import ConnectorError

MEMORY_LIMIT = "CONNECTOR_MEMORY_LIMIT"
"""The environment variable with the limit: it is a matter of the machine, not of the project."""

DEFAULT = "1GB"

_SIZE = re.compile(r"\d{1,9}(\.\d{1,3})? ?[KMGT]i?B", re.IGNORECASE)


def memory_limit() -> str:
    """What DuckDB may hold in memory, as it spells it: `1GB`, `512MiB`.

    Raises:
        ConnectorError: the environment says something else.
    """
    given = os.environ.get(MEMORY_LIMIT, "").strip() or DEFAULT
    if not _SIZE.fullmatch(given):
        raise ConnectorError(
            f"{MEMORY_LIMIT} is no amount of memory", hint="write one as 512MB, 1GB or 4GiB"
        )
    return given
