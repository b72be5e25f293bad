"""Cutting a mapping anew: what was acknowledged moves into the files of other shards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from connector.control import layouts
from connector.control.erasures import Ledger
from connector.control.lease import lease
from connector.control.store import ControlStore
from connector.engine import LEAVING, LINES
from connector.erasure import open_control
from connector.errors import UsageError
from connector.mapping.mapping import Mapping
from connector.project import Project
from connector.rightofway import backfill_lease
from connector.shard import MOST_SHARDS
from connector.shards import names_of, shards_of
from connector.snapshot.exchange import backfill_paths
from connector.snapshot.recut import Recut, hashed_keys, recut
from connector.snapshot.store import StatePaths, open_store


def reshard(
    project: Project, target: str, mapping: Mapping, into: int, *, anew: bool = False
) -> list[Recut]:
    """Cut a mapping into so many shards, 1 being whole; returns what each of them knows now.

    Nothing is sent or forgotten. With `anew` a state that is not on this machine is left out: its
    rows are sent again, and those that left meanwhile are not deleted.

    Raises:
        UsageError: there are no such shards, some state is missing, or a backfill is not through.
        Locked: one of the shards is being synced.
        StateError: the state cannot be used.
    """
    if not 1 <= into <= MOST_SHARDS:
        raise UsageError(f"a mapping has 1 to {MOST_SHARDS} shards, not {into}")
    folder = project.state_path / target
    control = open_control(project, target)
    try:
        before = names_of(mapping.name, shards_of(control, folder, mapping.name))
        after = names_of(mapping.name, into)
        if before == after:
            return []
        with ExitStack() as leases:
            for name in (*before, *after):
                leases.enter_context(lease(control, name))
                leases.enter_context(lease(control, backfill_lease(name)))
            old = _old(control, folder, before, anew=anew)
            new = [StatePaths(folder, name) for name in after]
            _remove(new)
            done = recut(old, new) if old else [Recut(name, 0) for name in after]
            if old:
                _carry_over(control, before, new)
            # From here on the new files count; killed before, the same command begins anew.
            layouts.change(control, mapping.name, into)
            _remove(StatePaths(folder, name) for name in before)
    finally:
        control.close()
    return done


def _old(
    control: ControlStore, folder: Path, names: Sequence[str], *, anew: bool
) -> list[StatePaths]:
    """The states to be cut, all there and through with what they were at."""
    old = [StatePaths(folder, name) for name in names]
    under_way = [paths.mapping for paths in old if backfill_paths(paths).file.exists()]
    if under_way:
        raise UsageError(
            f"a backfill of {under_way[0]!r} is not through", hint="run it to its end first"
        )
    runs = control.last_runs()
    missing = [each for each in old if not each.file.exists() and each.mapping in runs]
    if missing and not anew:
        raise UsageError(
            f"the state of {missing[0].mapping!r} is not on this machine",
            hint=f"bring {missing[0].file.name!r} into {folder} from where it was synced; if it is "
            "lost, `--anew` goes on without it: its rows are sent again",
        )
    there = [paths for paths in old if paths.file.exists()]
    for paths in there:
        with open_store(paths) as store:
            if store.meta(LINES) or store.meta(LEAVING):
                raise UsageError(
                    f"the snapshot of {paths.mapping!r} is in the warehouse",
                    hint="sync it once with `engine: duckdb`, which brings it home",
                )
    return there


def _carry_over(control: ControlStore, before: Sequence[str], new: Sequence[StatePaths]) -> None:
    """What a shard asked to erase, and is not confirmed, is the new shard's to see to."""
    ledger = Ledger(control)
    waiting = [uid_hash for name in before for uid_hash in ledger.asked(name)]
    if waiting:
        hasher = control.hasher()
        for paths in new:
            found = hashed_keys(paths, hasher.inner, hasher.outer, waiting)
            ledger.hand_over(found, paths.mapping)


def _remove(states: Iterable[StatePaths]) -> None:
    for paths in states:
        for file in (paths.file, Path(f"{paths.file}.wal")):
            file.unlink(missing_ok=True)
