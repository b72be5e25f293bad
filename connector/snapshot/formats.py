"""The format of a state file, looked at without changing anything."""

from __future__ import annotations

import duckdb

from connector.errors import Locked, StateError, first_line
from connector.snapshot.store import ANEW, StatePaths, check_format
from connector.sql import literal


def look_at(paths: StatePaths) -> int | None:
    """The format of a mapping's state file; None where there is none, or none was begun.

    Raises:
        Locked: a process is writing to it just now.
        StateError: it cannot be read, or a sync could not take it over.
    """
    if not paths.file.exists():
        return None
    try:
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH {literal(str(paths.file))} AS state (READ_ONLY)")
            found = connection.execute(
                "SELECT value FROM state.meta WHERE name = 'format'"
            ).fetchone()
    except duckdb.CatalogException:
        return None  # its process died before it made the tables; the next sync makes them
    except duckdb.Error as error:
        if "lock" in str(error) or "already attached" in str(error):
            raise Locked(f"{paths.file} is being written to") from error
        raise StateError(
            f"the state file {paths.file} cannot be read: {first_line(error)}",
            hint=ANEW,
        ) from error
    if found is None:
        return None
    check_format(paths.file, found[0])
    return int(found[0])
