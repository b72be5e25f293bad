"""Which shards a mapping has, for all who share a control store, and whose state is where."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote

from connector.control import layouts
from connector.control.store import ControlStore
from connector.errors import UsageError
from connector.mapping.mapping import Mapping
from connector.shard import Shard, shard_name, split_name
from connector.snapshot.store import StatePaths


def shard_of(mapping: Mapping, shard: Shard | None) -> Mapping:
    """One shard of a mapping, which goes the same road under a name of its own."""
    if shard is None:
        return mapping
    return replace(mapping, name=shard_name(mapping.name, shard), shard=shard)


def settle_shards(control: ControlStore, folder: Path, mapping: Mapping) -> None:
    """Make sure that a mapping, or the shard that it is, is cut like everywhere else.

    The first to sync it decides, for all machines on the same control store.

    Raises:
        UsageError: it is cut otherwise.
    """
    name, _ = split_name(mapping.name)
    first = _in_file(folder, name) or _wanted(mapping)
    _compare(mapping, layouts.settle(control, name, first))


def check_shards(control: ControlStore, folder: Path, mapping: Mapping) -> None:
    """The same without deciding anything."""
    name, _ = split_name(mapping.name)
    found = layouts.shards(control, name) or _in_file(folder, name)
    _compare(mapping, found or _wanted(mapping))


def _wanted(mapping: Mapping) -> int:
    return mapping.shard.of if mapping.shard else 1


def _in_file(folder: Path, name: str) -> int | None:
    """State that was written before shards were known of has only its file to tell."""
    return 1 if StatePaths(folder, name).file.exists() else None


def _compare(mapping: Mapping, found: int) -> None:
    name, wanted = split_name(mapping.name)[0], _wanted(mapping)
    if wanted > 1 and mapping.engine == "warehouse":
        raise UsageError(
            f"{name!r} is compared in the warehouse, which needs no shards",
            hint="sync it without `--shard`, or with `engine: duckdb`",
        )
    if wanted != found:
        cut = f"is cut into {found} shards" if found > 1 else "is not cut into shards"
        way = f"sync it with `--shard 1/{found}` and so on" if found > 1 else "sync it whole"
        anew = f"`connector reshard {name} --into {wanted}` cuts it anew"
        raise UsageError(f"{name!r} {cut}", hint=f"{way}; {anew}")


def shards_of(control: ControlStore, folder: Path, mapping: str) -> int:
    """How many shards a mapping has; 1 is whole."""
    return layouts.shards(control, mapping) or _in_file(folder, mapping) or 1


def names_of(mapping: str, of: int) -> list[str]:
    """The names under which a mapping is synced: its own, or those of so many shards."""
    if of == 1:
        return [mapping]
    return [shard_name(mapping, Shard(number, of)) for number in range(1, of + 1)]


def state_names(control: ControlStore, mapping: str) -> list[str]:
    """The same for the shards that it has."""
    return names_of(mapping, layouts.shards(control, mapping) or 1)


def states(folder: Path, mappings: Iterable[Mapping]) -> Iterator[Mapping]:
    """The mappings, those that are cut as the shards whose state lies in this folder."""
    for mapping in mappings:
        found = (split_name(unquote(file.stem))[1] for file in _candidates(folder, mapping))
        shards = sorted(filter(None, found))
        if not shards or StatePaths(folder, mapping.name).file.exists():
            yield mapping
        for shard in shards:
            yield shard_of(mapping, shard)


def _candidates(folder: Path, mapping: Mapping) -> Iterator[Path]:
    written = glob.escape(quote(mapping.name, safe=" "))
    return folder.glob(f"{written} *%2F*.duckdb")
