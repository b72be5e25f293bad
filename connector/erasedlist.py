"""Which list of the erased a state file was made with: where that is lost, nothing is sent.

The list lies in the control store. Were that removed, emptied or exchanged for another, a sync
would find nobody on it, and send whoever was erased and is still in the source. So a state file
remembers, from the first erasure on, by which store's key its erased users are listed.
"""

from __future__ import annotations

from connector.control.hashing import UidHasher
from connector.errors import StateError
from connector.snapshot.store import Store

_LISTED_BY = "listed_by"


def check_list(store: Store, hasher: UidHasher) -> None:
    """Look whether the list of the erased is the one that a state file knows.

    Raises:
        StateError: it is another.
    """
    if store.meta(_LISTED_BY) not in (None, hasher.mark):
        raise StateError(
            f"users were erased while {store.paths.mapping!r} was synced, and the control store "
            "that lists them is gone, or is another one now: they would be sent again",
            hint="restore the control store from a backup, or set `control_url` back; "
            "`connector erase --new-list` goes on without whom it listed",
        )


def note_list(store: Store, hasher: UidHasher) -> None:
    """Remember the list, on which somebody is now; unless there is another to be missed."""
    if store.meta(_LISTED_BY) is None:
        store.remember(**{_LISTED_BY: hasher.mark})


def forget_list(store: Store) -> bool:
    """Take whatever list there is from now on; says whether one was remembered."""
    known = store.meta(_LISTED_BY) is not None
    store.remember(**{_LISTED_BY: None})
    return known
