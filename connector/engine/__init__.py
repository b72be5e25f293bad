"""Engines: where a mapping's snapshot lies, and where it is compared with the source.

The DuckDB engine reads every row and compares here. The warehouse engine has the warehouse compare,
and *borrows* the lines of those keys that are not as they were: from then on both are the same, for
what was borrowed lies in the state file as if it had never been anywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from connector.snapshot.stage import Decided, Stage, Suppressions
from connector.snapshot.store import Store

if TYPE_CHECKING:
    from connector.prepare import Bound
    from connector.project import Project

LINES = "lines"
"""The setting of a state file that names where else its snapshot lies, as `source/table`."""

LEAVING = "lines_leaving"
"""The same while the snapshot is here again, and the table there not yet gone."""


class Engine(Protocol):
    """What the road asks of an engine, in this order."""

    def settle(self, store: Store, suppressions: Suppressions) -> None:
        """Finish what a dead process left, and have the snapshot where it belongs."""
        ...

    def load(
        self, stage: Stage, suppressions: Suppressions, feed: Sequence[str], *, refresh: bool
    ) -> bool:
        """Bring what has to be looked at to the stage; false where everything has to be read."""
        ...

    def decided(self, stage: Stage, decided: Decided, suppressions: Suppressions) -> Decided:
        """The figures with what never left the warehouse; what was borrowed is durable then."""
        ...

    def give_back(self, store: Store, suppressions: Suppressions) -> None:
        """At the end: return what was borrowed, as it has become."""
        ...


class DuckDBEngine:
    """The snapshot lies in the state file; every row is read and compared there."""

    def settle(self, store: Store, suppressions: Suppressions) -> None:
        """Nothing lies elsewhere."""

    def load(
        self, stage: Stage, suppressions: Suppressions, feed: Sequence[str], *, refresh: bool
    ) -> bool:
        """False: everything is read."""
        return False

    def decided(self, stage: Stage, decided: Decided, suppressions: Suppressions) -> Decided:
        """As they are."""
        return decided

    def give_back(self, store: Store, suppressions: Suppressions) -> None:
        """Nothing was borrowed."""


def check_engine(bound: Bound, project: Project) -> None:
    """Look whether a mapping can be compared where it asks to be.

    Raises:
        ConfigError: its warehouse cannot, with the reason at its place.
    """
    if bound.mapping.engine == "warehouse":
        from connector.engine.check import check

        check(bound, project.source(bound.mapping.source))


def engine_of(project: Project, bound: Bound, store: Store, *, dry: bool) -> Engine:
    """The engine of a mapping; with `dry` the snapshot stays where it is, as it is.

    Raises:
        ConfigError: the mapping cannot be compared by its warehouse.
        StateError: the snapshot lies in a source that is no more.
    """
    where = store.meta(LINES)
    if bound.mapping.engine == "duckdb" and (where or store.meta(LEAVING)) is None:
        return DuckDBEngine()
    # SQLAlchemy: nothing that other mappings wait for.
    from connector.engine.warehouse import Returning, WarehouseEngine

    if bound.mapping.engine == "duckdb":
        return Returning(project, dry=dry)
    engine = WarehouseEngine(project, bound, store.paths.folder.name, dry=dry)
    if dry and where != engine.where:
        return DuckDBEngine() if where is None else Returning(project, dry=True)
    return engine


def forget_elsewhere(project: Project, store: Store, suppressions: Suppressions) -> None:
    """Drop whoever was erased from a snapshot that lies in a warehouse.

    Raises:
        SourceError: the warehouse cannot be reached.
        StateError: the snapshot lies in a source that is no more.
    """
    where = store.meta(LINES)
    if where is not None:
        from connector.engine.borrowing import forget
        from connector.engine.lines import lines_at

        forget(lines_at(project, where), store, suppressions)
