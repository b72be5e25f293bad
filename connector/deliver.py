"""The last stretch of the road: changes go out, outcomes come back and are journalled."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa

from connector.control.erasures import Ledger
from connector.control.runs import Others
from connector.control.sharing import sharing
from connector.control.store import ControlStore
from connector.destination.target import Target
from connector.destination.work import (
    Delivery,
    Operation,
    Progress,
    Settlement,
    Slices,
    WorkBatch,
)
from connector.destination.writer import Writer
from connector.snapshot.changes import ChangeBatch, Changes, Refused
from connector.snapshot.stage import Stage
from connector.stop import Stop

RULES = {"erased": "hard_when", "feed": "feed", "left": "missing", "consent": "consent"}
"""The rule of the mapping behind each reason for a hard delete."""


def deliver(
    changes: Changes,
    target: Target,
    control: ControlStore,
    run_id: str,
    *,
    mapping: str,
    stop: Stop,
    progress: Callable[[Progress], None] | None = None,
    held: Callable[[], bool] | None = None,
    ended: Callable[[Delivery], None] | None = None,
) -> Delivery:
    """Send changes and journal what becomes of each row; while `held` says so nothing is sent.

    `ended` is told how it went, though this raises.

    Raises:
        DestinationError: the target would refuse every row.
        StateError: what was acknowledged could not be journalled; it is sent again next time.
    """
    hasher = control.hasher()
    others = Others(control, mapping)

    def settle(settlement: Settlement) -> None:
        erased = changes.erased(settlement.acknowledged)
        if erased:
            # First the list, then the journal: killed in between, the key is still deleted again.
            answers = {hasher(uid): settlement.answers.get(at) for uid, at in erased}
            # Whoever was at another mapping meanwhile did not know of them, and may send their rows
            # yet: they are deleted once more, by the last of those processes to end.
            again = {hasher(uid): uid for uid, _ in erased} if others.met() else None
            Ledger(control).confirm(answers, run_id, again)
        refused = [
            Refused(item.sequence, item.status, item.code, item.message, item.field)
            for item in settlement.rejected
        ]
        changes.settle(settlement.acknowledged, refused)

    batches = (work_batch(change) for change in changes.batches())
    return write(
        batches, settle, target, control, stop=stop, progress=progress, held=held, ended=ended
    )


def write(
    batches: Iterable[WorkBatch],
    settle: Callable[[Settlement], None],
    target: Target,
    control: ControlStore,
    *,
    stop: Stop,
    progress: Callable[[Progress], None] | None = None,
    held: Callable[[], bool] | None = None,
    ended: Callable[[Delivery], None] | None = None,
) -> Delivery:
    """Deliver batches within this process's share of the target's quota."""
    others_first = held or (lambda: False)
    if target.rate_limit is None:
        return Writer(target).deliver(
            batches, settle, stop=stop, progress=progress, held=held, ended=ended
        )
    with sharing(control, idle=others_first) as share:
        return Writer(target).deliver(
            batches,
            settle,
            stop=stop,
            progress=progress,
            held=lambda: share.joining or others_first(),
            sharers=lambda: share.count,
            ended=ended,
        )


def request_erasures(control: ControlStore, stage: Stage, *, mapping: str, run_id: str) -> None:
    """Enter the hard deletes that are about to be sent in the ledger, by the rule that asks."""
    hasher, ledger = control.hasher(), Ledger(control)
    asked: dict[str, dict[str, str | None]] = {}
    for key, reason in stage.sample("hard_delete", None):
        asked.setdefault(RULES[reason], {})[hasher(key)] = None
    for rule, hashes in asked.items():
        ledger.request(hashes, rule=rule, run_id=run_id, mapping=mapping)
        ledger.sent(hashes)
    everyone = [uid_hash for hashes in asked.values() for uid_hash in hashes]
    ledger.withdraw(mapping, everyone, run_id)


def work_batch(change: ChangeBatch, operation: Operation | None = None) -> WorkBatch:
    """A batch of changes as the writer takes it: the same Arrow buffers, nothing copied.

    The operation is that of the decision, unless another is given.
    """
    return WorkBatch(
        operation=operation or Operation(change.decision),
        first=change.first,
        keys=_slices(change.rows.column("key")),
        payloads=_slices(change.rows.column("payload")),
    )


def _slices(column: pa.Array) -> Slices:
    _, offsets, data = column.buffers()
    raw = memoryview(offsets).cast("B")
    view = raw.cast("q") if pa.types.is_large_string(column.type) else raw.cast("i")
    window = view[column.offset : column.offset + len(column) + 1]
    return Slices(memoryview(data if data is not None else b"").cast("B"), window)
