"""One window of a backfill: read, compared, sent and brought home, as often as it takes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

import duckdb

from connector.control.lease import lease
from connector.destination.work import Progress
from connector.errors import Locked
from connector.mapping.mapping import Mapping
from connector.plan import forecast
from connector.prepare import Compared, bind, compare, suppressed
from connector.report import MAX_SAMPLES, MappingReport, RejectSample
from connector.rightofway import LOOK, RightOfWay, overlap_lease, sending_lease
from connector.run import Observer, Run
from connector.snapshot.exchange import (
    backfill_paths,
    catch_up,
    check_in,
    check_out,
    claim,
    overlaps,
)
from connector.snapshot.purge import forget_erased
from connector.snapshot.rejects import sample_rejects
from connector.snapshot.store import StatePaths, Store, open_store
from connector.source.base import Window
from connector.stop import Stop
from connector.sync import count, send
from connector.windows import Span, milliseconds


class Stopped(Exception):  # noqa: N818 - named for what happened
    """Asked to stop while waiting."""


class Outcome(Enum):
    """How an attempt at a window ended; ASIDE is to be tried anew."""

    DONE = "done"
    ASIDE = "aside"
    INCOMPLETE = "incomplete"


class Meter:
    """Shows progress over all windows to whoever watches the backfill.

    `before` are the rows of the windows that are through, `known` those of the one under way that
    need not be sent.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.before = 0
        self.known = 0

    def started(self, name: str) -> None:
        """Nothing to tell: the backfill began long ago."""

    def sending(self, name: str, rows: int) -> None:
        """Nothing to tell either: the whole is known already."""

    def progress(self, name: str, progress: Progress) -> None:
        """So many of all rows are through."""
        settled = self.before + self.known + progress.settled
        self._observer.progress(name, replace(progress, settled=settled))

    def finished(self, report: MappingReport) -> None:
        """One window is no end."""


@dataclass(frozen=True, slots=True)
class Walker:
    """Walks windows of one mapping; `run` is that of the backfill, `version` the mapping's."""

    run: Run
    mapping: Mapping
    version: str
    resend: bool
    way: RightOfWay
    meter: Meter

    @property
    def paths(self) -> StatePaths:
        """The state of the window under way."""
        return backfill_paths(self.run.paths(self.mapping))

    def attempt(self, span: Span, report: MappingReport) -> Outcome:
        """Send what is not known as sent, and bring home what became of it; `report` is filled in.

        Raises:
            Stopped: asked to, before anything was sent.
            ConnectorError: the source, the state or the target is of no use.
        """
        if not self.way.wait(self.run.stop):
            raise Stopped
        stop = Stop()
        # Leases outlast the open state file: whoever waits for one may open it then.
        with ExitStack() as leases:
            overlapping = self._check_out(span)
            with (
                open_store(self.paths) as mine,
                self.run.stop.interrupting(stop.request),
                self.way.watching(stop),
            ):
                forget_erased(mine, suppressed(self.run.control), events=True)
                compared = self._compare(mine, span, stop)
                if compared is None or not self._enter(leases, overlapping=overlapping):
                    return Outcome.ASIDE
                count(report, compared)
                self._send(compared, report, stop)
                compared.stage.record_rejects(compared.rules, _violations(compared))
                report.rejects = [RejectSample(*row) for row in sample_rejects(mine, MAX_SAMPLES)]
        if report.pending:
            aside = self.way.step_aside and not self.run.stop.requested
            return Outcome.ASIDE if aside else Outcome.INCOMPLETE
        with self._main() as main, open_store(self.paths) as mine:
            check_in(mine, main, *_ends(span))
        return Outcome.DONE

    def forget(self) -> None:
        """Remove the state of a window that is recorded as done."""
        self.paths.file.unlink(missing_ok=True)

    def resent_since(self, window: Span) -> datetime:
        """When sending a whole window again began; one that was killed goes on."""
        wanted = [self.version, *_ends(window)]
        with self._main() as main:
            *known, since = json.loads(main.meta("resend") or "[null]")
            if known == wanted:
                return datetime.fromisoformat(since)
            began = self.run.control.time()
            main.remember(resend=json.dumps([*wanted, began.isoformat()]))
        return began

    def resent(self) -> None:
        """All of the window was sent again."""
        with self._main() as main:
            main.remember(resend=None)

    def look(self, span: Span) -> MappingReport:
        """What an attempt would send; nothing is changed."""
        report = MappingReport(self.mapping.name, str(self.mapping.kind))
        began = time.monotonic()
        paths = StatePaths(self.paths.folder, f"{self.mapping.name} dry run")
        with open_store(paths, keep=False) as mine:
            with self._main(keep=False) as main:
                if not self.resend:
                    check_out(main, mine, *_ends(span))
            compared = self._compare(mine, span, self.run.stop)
            if compared is None:
                raise Stopped
            count(report, compared)
            refused = compared.stage.sample_rejected(_violations(compared), MAX_SAMPLES)
            report.rejects = [RejectSample(*row) for row in refused]
            report.forecast = forecast(report, compared, self.run.target)
        report.seconds = time.monotonic() - began
        return report

    def _check_out(self, span: Span) -> bool:
        """Learn what was sent of the window; returns whether a sync may send some of it too."""
        with self._main() as main, open_store(self.paths) as mine:
            catch_up(mine, main)
            claim(mine, json.dumps([self.version, *_ends(span), self.resend]))
            if not self.resend:
                check_out(main, mine, *_ends(span))
            overlapping = overlaps(main, milliseconds(span.end))
            self.way.settled(overlapping=overlapping)
        return overlapping

    @contextmanager
    def _main(self, *, keep: bool = True) -> Iterator[Store]:
        """The state of the mapping itself, for a moment, as soon as no sync has it."""
        run, name = self.run, self.mapping.name
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(lease(run.control, name, briefly=True))
                    break
                except Locked:
                    if run.stop.wait(LOOK):
                        raise Stopped from None
            yield held.enter_context(open_store(run.paths(self.mapping), keep=keep))

    def _compare(self, mine: Store, span: Span, stop: Stop) -> Compared | None:
        """Read and compare; None when it is time to step aside.

        Raises:
            Stopped: asked to.
        """
        run = self.run
        window = Window(self.mapping.cursor or "", span.start, span.end)
        try:
            with (
                bind(run.project, self.mapping) as bound,
                stop.interrupting(mine.connection.interrupt),
                stop.interrupting(bound.source.interrupt),
            ):
                compared = compare(run.project, bound, mine, run.control, window=window)
        except duckdb.InterruptException:
            compared = None
        if run.stop.requested:
            raise Stopped
        return None if stop.requested else compared

    def _enter(self, leases: ExitStack, *, overlapping: bool) -> bool:
        """Take the leases for sending: from now on others wait until we have stepped aside; false
        when one of them was quicker."""
        name, control = self.mapping.name, self.run.control
        try:
            leases.enter_context(lease(control, sending_lease(name), briefly=True))
            if overlapping:
                leases.enter_context(lease(control, overlap_lease(name), briefly=True))
        except Locked:
            return False
        return True

    def _send(self, compared: Compared, report: MappingReport, stop: Stop) -> None:
        self.meter.known = report.rows.source - report.planned
        # Whoever came before the leases were taken did not wait for them.
        self.way.look(stop)
        run = replace(self.run, stop=stop, held=self.way.held, observer=self.meter)
        send(run, self.mapping, compared, report)


def _violations(compared: Compared) -> list[tuple[str, str, str]]:
    return [(v.code, v.field, v.message) for v in compared.chain.violations]


def _ends(span: Span) -> tuple[int, int]:
    return milliseconds(span.start), milliseconds(span.end)
