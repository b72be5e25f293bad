"""Asking for another attempt at rows that the API refused."""

from __future__ import annotations

from collections.abc import Sequence

from connector.control.lease import lease
from connector.control.store import ControlStore
from connector.mapping.mapping import Mapping
from connector.project import Project
from connector.shards import states
from connector.snapshot import rejects
from connector.snapshot.store import StatePaths, open_store


def ask_again(
    project: Project, mappings: Sequence[Mapping], *, target: str, codes: Sequence[str] = ()
) -> dict[str, int]:
    """Have the next sync of these mappings try refused rows again, of all codes or of some.

    Returns how many rows of each mapping, or of each of its shards that is here, will be tried;
    those never synced are left out. Rows that a rule refused need none of this: every sync judges
    them anew.

    Raises:
        Locked: one of them is being synced.
        StateError: the state cannot be used.
    """
    folder = project.state_path / target
    here = states(folder, mappings)
    known = [mapping for mapping in here if StatePaths(folder, mapping.name).file.exists()]
    asked: dict[str, int] = {}
    if not known:
        return asked
    control = ControlStore(folder, target, project.control_url)
    try:
        for mapping in known:
            paths = StatePaths(folder, mapping.name)
            with lease(control, mapping.name), open_store(paths) as store:
                asked[mapping.name] = rejects.ask_again(store, codes)
    finally:
        control.close()
    return asked
