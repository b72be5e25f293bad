"""Erasure by hand: delete users now, whatever the mappings say, and keep them deleted.

A request is in the ledger before anything is sent, so that a process that dies loses none: the next
sync or erasure of the target finishes it. While a mapping is being synced its rows may still be on
their way, so an erasure waits for that sync, which sends it at its own end.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from connector.control.erasures import MODELS_WITHIN, PROFILE_WITHIN, Erasure, Ledger
from connector.control.lease import lease
from connector.control.store import ControlStore, control_file
from connector.destination.requests import is_addressable
from connector.destination.target import Target
from connector.destination.work import Operation, Settlement, Slices, WorkBatch
from connector.destination.writer import Writer
from connector.engine import forget_elsewhere
from connector.erasedlist import forget_list, note_list
from connector.errors import ConnectorError, Locked, StateError, UsageError
from connector.leftovers import wipe
from connector.listeners.tell import tell
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.prepare import read_feed, suppressed
from connector.project import Project
from connector.report import Http, MappingReport, RejectSample, RunReport, Status
from connector.rightofway import sending_lease
from connector.shard import split_name
from connector.shards import state_names
from connector.snapshot.answers import forget_answers
from connector.snapshot.purge import forget_erased, rewrite
from connector.snapshot.store import StatePaths, open_store
from connector.stop import Stop

NAME = "erase"
"""What stands for the mapping in the report and in the runs of the control store."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of one erasure, to be handed to whoever may see it: it names the user in clear."""

    uid: str
    erasure: Erasure

    @property
    def profile_gone_by(self) -> datetime | None:
        """When the platform has removed profile and events at the latest."""
        confirmed = self.erasure.confirmed_at
        return confirmed + PROFILE_WITHIN if confirmed else None

    @property
    def models_forget_by(self) -> datetime | None:
        """When its models have forgotten at the latest."""
        confirmed = self.erasure.confirmed_at
        return confirmed + MODELS_WITHIN if confirmed else None


def erase(
    project: Project, target: Target, uids: Sequence[str], *, stop: Stop | None = None
) -> tuple[RunReport, list[Receipt]]:
    """Hard-delete users at the target now; receipts come in the order of `uids`.

    A user who was never synced is deleted all the same. Returns with status `locked` and the
    requests waiting where a sync is under way, `incomplete` where the API could not be reached.

    Raises:
        UsageError: no uid, or one that no request could address.
        StateError: the control store cannot be used.
    """
    wanted = list(dict.fromkeys(uids))
    check_uids(wanted)
    control = open_control(project, target.name)
    report = RunReport("erase", secrets.token_hex(8), target.name)
    try:
        hasher = control.hasher()
        hashes = {hasher(uid): uid for uid in wanted}
        asked: dict[str, str | None] = {**hashes}
        Ledger(control).request(asked, rule="erase", run_id=report.run_id)
        report.mappings.append(
            finish_recorded(project, target, control, report.run_id, stop=stop or Stop())
        )
        lines = {line.uid_hash: line for line in Ledger(control).lines(hashes)}
        receipts = [Receipt(uid, lines[uid_hash]) for uid_hash, uid in hashes.items()]
    finally:
        report.warnings += tell(project, target, control, report.run_id)
        control.close()
    return report, receipts


def check_uids(uids: Sequence[str]) -> None:
    """Refuse uids that no request could address.

    Raises:
        UsageError: there is none, or it is empty, `.`, `..` or holds control characters.
    """
    if not uids:
        raise UsageError("no uid was given", hint="name one or more, or a file with `--file`")
    for uid in uids:
        if not is_addressable(uid):
            raise UsageError(f"{uid!r} addresses no user: such a uid was never sent")


def lift(project: Project, target: str, uids: Sequence[str]) -> int:
    """Let users be sent again from the next sync on; returns how many were suppressed."""
    control = open_control(project, target)
    try:
        hasher = control.hasher()
        return control.lift([hasher(uid) for uid in uids])
    finally:
        control.close()


def ledger(project: Project, target: str) -> list[Erasure]:
    """Every erasure of a target, the oldest first."""
    if project.control_url is None and not control_file(project.state_path / target).exists():
        return []
    control = open_control(project, target)
    try:
        return Ledger(control).lines()
    finally:
        control.close()


def waiting_in_feed(project: Project, target: str, mapping: Mapping) -> list[str]:
    """Whom the erasure feed of a mapping lists and who is not erased yet: hashes of uids, sorted.

    Reads the feed and the control store, and sends nothing.

    Raises:
        SourceError: the feed cannot be read.
        StateError: the control store cannot be used.
    """
    uids = [uid for uid in read_feed(project, mapping) if is_addressable(uid)]
    if not uids:
        return []
    control = open_control(project, target)
    try:
        hasher = control.hasher()
        return sorted({hasher(uid) for uid in uids} - set(control.suppressed()))
    finally:
        control.close()


def open_control(project: Project, target: str) -> ControlStore:
    """The control store of a target, by its name."""
    return ControlStore(project.state_path / target, target, project.control_url)


def finish_recorded(
    project: Project, target: Target, control: ControlStore, run_id: str, *, stop: Stop
) -> MappingReport:
    """Finish what waits, and note how it went as a run of its own; errors are in the report."""
    report = MappingReport(NAME, str(Kind.USERS))
    began = time.monotonic()
    number = control.start_run(run_id, NAME, "erase")
    try:
        finish_pending(project, target, control, run_id, report, stop=stop)
    except Locked as error:
        report.status, report.error = Status.LOCKED, error.message
        report.hint = "the erasure is noted; that sync sends it when it ends"
    except ConnectorError as error:
        report.status, report.error, report.hint = Status.FAILED, error.message, error.hint
    finally:
        report.seconds = time.monotonic() - began
        control.finish_run(
            number,
            status=str(report.status),
            pending=report.pending,
            rejected=report.rejected,
            seconds=report.seconds,
            report=report.to_json() | {"rejects": []},
            error=report.error,
        )
    return report


def finish_pending(
    project: Project,
    target: Target,
    control: ControlStore,
    run_id: str,
    report: MappingReport,
    *,
    stop: Stop,
) -> None:
    """Send what was asked for by hand and is not confirmed yet, and purge what is.

    Raises:
        Locked: a mapping is being synced by another process; the requests keep waiting.
        DestinationError: the target refuses us.
        StateError: the state cannot be written.
    """
    waiting = Ledger(control).by_hand()
    operation = report.changes["hard_delete"]
    operation.planned = operation.pending = len(waiting)
    with ExitStack() as leases:
        names = [name for each in project.mappings for name in state_names(control, each.name)]
        for name in names:
            leases.enter_context(lease(control, name))
            leases.enter_context(lease(control, sending_lease(name)))
        if waiting:
            _send(target, control, run_id, waiting, report, stop)
        purge_others(project, target, control, held=names)


def purge_others(
    project: Project,
    target: Target,
    control: ControlStore,
    *,
    held: Collection[str] = (),
) -> None:
    """Drop whoever was erased from every state file of a target, for good, and what killed
    processes left; files in use are left to whoever uses them, who does the same at the end.

    Files of mappings that are no longer in the project are purged too. `held` are the mappings of
    which the caller has the lease.

    Raises:
        StateError: a file cannot be read or written.
    """
    folder = project.state_path / target.name
    known = {mapping.name: mapping for mapping in project.mappings}
    for each in (project.state_path, folder, folder / "backfill"):
        _wipe_leftovers(each / ".stage")
    for paths in _state_files(folder):
        name = paths.mapping
        with suppress(Locked), nullcontext() if name in held else lease(control, name):
            _purge(project, paths, control, known.get(split_name(name)[0]))


def _state_files(folder: Path) -> Iterator[StatePaths]:
    """The state files of a target, those of backfills under way too."""
    for file in sorted(folder.glob("*.duckdb")) + sorted(folder.glob("backfill/*.duckdb")):
        yield StatePaths(file.parent, unquote(file.stem))


def new_list(project: Project, target: str) -> int:
    """Go on with the list of the erased that there is, whatever list was there before; returns how
    many state files knew one.

    Raises:
        Locked: a mapping is being synced.
        StateError: a file cannot be read or written.
    """
    with closing(open_control(project, target)) as control:
        known = 0
        for paths in _state_files(project.state_path / target):
            with lease(control, paths.mapping), open_store(paths) as store:
                known += forget_list(store)
        return known


def _wipe_leftovers(folder: Path) -> None:
    try:
        wipe(folder, of_others=True)
    except OSError as error:
        raise StateError(
            f"what a killed process left cannot be removed: {error.strerror}",
            hint="remove it by hand: it may hold who was erased",
        ) from error


def _purge(
    project: Project, paths: StatePaths, control: ControlStore, mapping: Mapping | None
) -> None:
    """Purge one file; of which kind it is nobody knows any more when its mapping has gone."""
    events = None if mapping is None else mapping.kind is not Kind.USERS
    with open_store(paths) as store:
        suppressions = suppressed(control)
        if suppressions.confirmed or suppressions.pending:
            note_list(store, control.hasher())
        if mapping is None or mapping.kind is Kind.RECOMMENDATIONS:
            forget_answers(store, suppressions)
        forget_elsewhere(project, store, suppressions)
        due = forget_erased(store, suppressions, events=events)
    if due:
        rewrite(paths)


def _send(
    target: Target,
    control: ControlStore,
    run_id: str,
    waiting: dict[str, str],
    report: MappingReport,
    stop: Stop,
) -> None:
    operation = report.changes["hard_delete"]
    hashes = list(waiting)
    ledger_ = Ledger(control)
    ledger_.sent(hashes)

    def settle(settlement: Settlement) -> None:
        answers = {
            hashes[at]: settlement.answers.get(at) for run in settlement.acknowledged for at in run
        }
        ledger_.confirm(answers, run_id)
        operation.acknowledged += len(answers)
        operation.rejected += len(settlement.rejected)
        report.rejects += [
            RejectSample(None, item.code, item.field, item.message) for item in settlement.rejected
        ]

    delivery = Writer(target).deliver(_batches(list(waiting.values())), settle, stop=stop)
    operation.pending = operation.planned - operation.acknowledged - operation.rejected
    report.http = Http(delivery.requests, delivery.retries, delivery.throttled)
    if operation.rejected:
        report.status = Status.FAILED
        report.error = f"the API refused {operation.rejected:,} of the deletes"
        report.hint = "they keep waiting and are sent again by the next `connector erase` or sync"
    elif operation.pending:
        report.status, report.error = Status.INCOMPLETE, delivery.incomplete or "stopped"


def _batches(uids: Sequence[str]) -> Iterator[WorkBatch]:
    data = [uid.encode() for uid in uids]
    ends = [0]
    for each in data:
        ends.append(ends[-1] + len(each))
    nothing = Slices(memoryview(b""), [0] * (len(data) + 1))
    yield WorkBatch(Operation.HARD_DELETE, 0, Slices(memoryview(b"".join(data)), ends), nothing)
