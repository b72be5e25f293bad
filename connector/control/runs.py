"""What the runs of one mapping say, and which of them are worth remembering."""

from __future__ import annotations

from sqlalchemy import and_, delete, func, select

from connector.control.lease import holders
from connector.control.store import ControlStore
from connector.control.tables import runs
from connector.shard import siblings


def latest_run(store: ControlStore, mapping: str) -> int:
    """The number of the last run of a mapping that began; 0 when there was none."""
    mine = and_(runs.c.target == store.target, runs.c.mapping == mapping)
    with store.begin() as connection:
        return connection.scalar(select(func.max(runs.c.id)).where(mine)) or 0


class Others:
    """Tells whether other mappings of the target are being synced, or were since this was made.

    A backfill is not among them: it steps aside when somebody is erased.
    """

    def __init__(self, store: ControlStore, mapping: str) -> None:
        self._store = store
        # Shards of the same mapping have no rows of the same user.
        self._own = siblings(mapping)
        self._theirs = and_(runs.c.target == store.target, runs.c.mapping.not_in(self._own))
        self._before = self._latest()
        self._met = self._are_there()

    def met(self) -> bool:
        """Whether there was any, up to now."""
        self._met = self._met or self._are_there() or self._latest() != self._before
        return self._met

    def _are_there(self) -> bool:
        return any(
            name not in self._own and not name.startswith(".") for name in holders(self._store)
        )

    def _latest(self) -> int:
        with self._store.begin() as connection:
            return connection.scalar(select(func.max(runs.c.id)).where(self._theirs)) or 0


def forget_idle_before(store: ControlStore, mapping: str, number: int) -> None:
    """Drop the run before run `number` of a mapping if it found nothing to do either.

    Whoever syncs every few seconds for a year would fill the store otherwise.
    """
    before = and_(runs.c.target == store.target, runs.c.mapping == mapping, runs.c.id < number)
    latest = select(runs).where(before).order_by(runs.c.id.desc()).limit(1)
    with store.begin() as connection:
        run = connection.execute(latest).mappings().first()
        if run is None or run["status"] != "done" or run["rejected"]:
            return
        changes = run["report"].get("changes", {})
        if not any(each.get("planned") for each in changes.values()):
            connection.execute(delete(runs).where(runs.c.id == run["id"]))
