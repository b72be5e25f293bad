"""The erasure ledger: who asked to be erased, by which rule, and how far it has come.

Users are named by the keyed hash of their uid. A uid stands in clear only while an erasure that was
asked for by hand waits for its confirmation, since nothing else would know whom to delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, insert, select, text, update

from connector.control.engine import insert_missing, now
from connector.control.store import ControlStore
from connector.control.tables import erasures, suppressions

PROFILE_WITHIN = timedelta(hours=24)
MODELS_WITHIN = timedelta(days=7)
"""From the confirmation on: by then the platform removes profile and events, and models forget."""

REPEATED = "repeated"
"""The rule of a delete that is sent once more: another mapping may have sent rows of the user
after the first one."""

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Erasure:
    """One line of the ledger. `answer` is the API's status to the DELETE."""

    uid_hash: str
    rule: str
    mapping: str | None
    requested_at: datetime
    sent_at: datetime | None
    confirmed_at: datetime | None
    withdrawn_at: datetime | None
    answer: int | None
    run_id: str

    @property
    def state(self) -> str:
        """requested, sent, confirmed or withdrawn."""
        if self.confirmed_at is not None:
            return "confirmed"
        if self.withdrawn_at is not None:
            return "withdrawn"
        return "sent" if self.sent_at is not None else "requested"


class Ledger:
    """The ledger of one target."""

    def __init__(self, store: ControlStore) -> None:
        self._store = store
        self._mine = erasures.c.target == store.target
        self._open = and_(
            self._mine, erasures.c.confirmed_at.is_(None), erasures.c.withdrawn_at.is_(None)
        )

    def request(
        self,
        hashes: Mapping[str, str | None],
        *,
        rule: str,
        run_id: str,
        mapping: str | None = None,
    ) -> None:
        """Note that users are to be erased; those already waiting keep their time of asking.

        `hashes` maps the hash of each uid to the uid itself, or to None where the rule that asks
        will name it again.
        """
        with self._store.begin() as connection:
            waiting = set(connection.scalars(select(erasures.c.uid_hash).where(self._open)))
            fresh = [
                {
                    "target": self._store.target,
                    "uid_hash": uid_hash,
                    "uid": uid,
                    "rule": rule,
                    "mapping": mapping,
                    "run_id": run_id,
                    "requested_at": now(),
                }
                for uid_hash, uid in hashes.items()
                if uid_hash not in waiting
            ]
            if fresh:
                connection.execute(insert(erasures), fresh)

    def sent(self, hashes: Iterable[str]) -> None:
        """Note that deletes are on their way."""
        self._update(hashes, sent_at=now())

    def confirm(
        self, answers: Mapping[str, int | None], run_id: str, again: Mapping[str, str] | None = None
    ) -> None:
        """Note what the API answered; from now on these users are suppressed for good.

        `again` maps the hashes of those who have to be deleted once more to their uids: until that
        is done they wait as if it had been asked for by hand.
        """
        rules = self._rules(answers)
        erased = [
            {
                "target": self._store.target,
                "uid_hash": uid_hash,
                "rule": rules.get(uid_hash, "unknown"),
                "run_id": run_id,
                "confirmed_at": now(),
                "status": answer,
            }
            for uid_hash, answer in answers.items()
        ]
        with self._store.begin() as connection:
            if erased:
                insert_missing(connection, suppressions, erased)
            for uid_hash, answer in answers.items():
                row = and_(self._open, erasures.c.uid_hash == uid_hash)
                connection.execute(
                    update(erasures)
                    .where(row)
                    .values(confirmed_at=now(), answer=answer, run_id=run_id, uid=None)
                )
            if again:
                repeated = {
                    "target": self._store.target,
                    "rule": REPEATED,
                    "run_id": run_id,
                    "requested_at": now(),
                }
                rows = [{"uid_hash": hash_, "uid": uid} | repeated for hash_, uid in again.items()]
                connection.execute(insert(erasures), rows)
        self._scrub()

    def asked(self, mapping: str) -> list[str]:
        """The hashes of those whom a mapping asked to erase and who are not confirmed yet."""
        mine = and_(self._open, erasures.c.mapping == mapping)
        with self._store.begin() as connection:
            return list(connection.scalars(select(erasures.c.uid_hash).where(mine)))

    def withdraw(self, mapping: str, still: Iterable[str], run_id: str) -> None:
        """Close what a mapping asked for and asks for no longer: the flag was taken back."""
        keep = set(still)
        gone = [uid_hash for uid_hash in self.asked(mapping) if uid_hash not in keep]
        self._update(gone, withdrawn_at=now(), run_id=run_id)

    def hand_over(self, hashes: Iterable[str], mapping: str) -> None:
        """What was asked for by other names of a mapping is asked for by this one from now on."""
        self._update(hashes, mapping=mapping)

    def _update(self, hashes: Iterable[str], **values: object) -> None:
        wanted = list(hashes)
        with self._store.begin() as connection:
            for start in range(0, len(wanted), _CHUNK):
                chosen = erasures.c.uid_hash.in_(wanted[start : start + _CHUNK])
                connection.execute(
                    update(erasures).where(and_(self._open, chosen)).values(**values)
                )

    def _rules(self, hashes: Iterable[str]) -> dict[str, str]:
        wanted = set(hashes)
        with self._store.begin() as connection:
            rows = connection.execute(
                select(erasures.c.uid_hash, erasures.c.rule).where(self._open)
            ).all()
        return {uid_hash: rule for uid_hash, rule in rows if uid_hash in wanted}

    def _scrub(self) -> None:
        """Fold SQLite's write-ahead log in, which still holds uids that were just confirmed."""
        engine = self._store.engine
        if engine.dialect.name == "sqlite":
            with engine.connect() as connection:
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def by_hand(self) -> dict[str, str]:
        """Erasures asked for by hand and not confirmed yet: hash and uid."""
        wanted = and_(self._open, erasures.c.uid.is_not(None))
        with self._store.begin() as connection:
            rows = connection.execute(select(erasures.c.uid_hash, erasures.c.uid).where(wanted))
            return {row[0]: row[1] for row in rows}

    def lines(self, hashes: Iterable[str] | None = None) -> list[Erasure]:
        """The ledger, the oldest request first; only those hashes when given."""
        names = (
            "uid_hash", "rule", "mapping", "requested_at", "sent_at", "confirmed_at",
            "withdrawn_at", "answer", "run_id",
        )  # fmt: skip
        columns = [erasures.c[name] for name in names]
        wanted = None if hashes is None else set(hashes)
        with self._store.begin() as connection:
            rows = connection.execute(
                select(*columns).where(self._mine).order_by(erasures.c.requested_at, erasures.c.id)
            ).all()
        return [Erasure(*row) for row in rows if wanted is None or row[0] in wanted]
