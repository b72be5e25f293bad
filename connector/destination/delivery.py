"""One delivery: workers that take jobs in order, send them, and do what the outcome says."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic, time

from connector.destination.feed import Feed
from connector.destination.jobs import Job, Limits, cut
from connector.destination.journal import Journal
from connector.destination.outcomes import Action, Failure, Outcome, Refusal, outcome, refusal
from connector.destination.pacing import Attempt, Pacer
from connector.destination.requests import Request, UnaddressableKeyError
from connector.destination.target import Target
from connector.destination.transport import Answer, Transport, describe, stopped
from connector.destination.work import (
    Delivery,
    Operation,
    Progress,
    Rejection,
    Reply,
    Settlement,
    WorkBatch,
)
from connector.stop import Stop

TICK = 0.1
PROGRESS_SECONDS = 0.25
GRACE = 5.0
"""Seconds that requests in flight get to finish when the delivery ends early."""
PATIENCE = 12
"""Failures of one request, while others succeed, before its rows are left for the next run."""
PATIENCE_WITH_BATCHES = 5
"""Failures of one batch, whatever others do, before it is split: one row may be the cause."""
HOPELESS = 100
"""Rows refused without one accepted in between, from which on batches are sent row by row."""


class DeliveryRun:
    """The state of one delivery; made and run within one event loop."""

    def __init__(
        self,
        target: Target,
        transport: Transport,
        pacer: Pacer,
        batches: Iterable[WorkBatch],
        settle: Callable[[Settlement], None],
        flush_seconds: float,
        stop: Stop | None,
        progress: Callable[[Progress], None] | None,
        ended: Callable[[Delivery], None] | None,
    ) -> None:
        self._target = target
        self._transport = transport
        self._pacer = pacer
        self._stop = stop
        self._progress = progress
        self._ended = ended
        self._news = asyncio.Event()
        self._feed = Feed(batches, self._news.set)
        self._journal = Journal(settle, flush_seconds, self._news.set)
        self._limits = Limits(target.events_per_request, target.bytes_per_request)
        self._batch: WorkBatch | None = None
        self._row = 0
        self._next_up: deque[Job] = deque()
        self._backing_off = 0
        self._busy: set[bytes] = set()
        self._parked: dict[bytes, deque[Job]] = {}
        self._most_waiting = 4 * target.max_in_flight
        self._in_hand = 0
        self._halted_at: float | None = None
        self._error: BaseException | None = None
        self._incomplete: str | None = None
        self._refused_in_a_row = 0
        self._aside = 0
        self._aside_because = ""
        self._settled = 0
        self._requests = 0
        self._retries = 0
        self._throttled = 0
        self._meter = _Meter()

    async def run(self) -> Delivery:
        """Send everything there is to send, or what can be sent until there is a reason to end."""
        began = monotonic()
        try:
            await self._send_all()
        finally:
            self._feed.close()
            await self._end_journal()
            await self._transport.close()
        delivery = Delivery(
            self._requests,
            self._retries,
            self._throttled,
            monotonic() - began,
            self._why(),
            outage=self._pacer.over is not None,
        )
        if self._ended is not None:
            self._ended(delivery)
        if self._error is not None:
            raise self._error
        return delivery

    async def _send_all(self) -> None:
        workers = {
            asyncio.create_task(self._work(), name=f"worker-{i}")
            for i in range(self._target.max_in_flight)
        }
        try:
            while workers:
                done, workers = await asyncio.wait(
                    workers, timeout=TICK, return_when=asyncio.FIRST_EXCEPTION
                )
                for task in done:
                    if (error := task.exception()) is not None:
                        self._fail(error)
                self._tick()
                if self._halted_at is not None and monotonic() - self._halted_at > GRACE:
                    break
        finally:
            for worker in workers:
                worker.cancel()
            if workers:
                await asyncio.wait(workers)

    async def _end_journal(self) -> None:
        try:
            await self._journal.end()
        except Exception as error:  # noqa: BLE001 - raised once the delivery was told of
            if self._error is not error:
                error.__cause__ = self._error
                self._error = error

    def _tick(self) -> None:
        self._pacer.tick()
        if self._stop is not None and self._stop.requested:
            self._halt("stopped on request")
        if self._pacer.over is not None:
            self._halt(self._pacer.over)
        if self._feed.error is not None:
            self._fail(self._feed.error)
        if self._journal.task.done() and (error := self._journal.task.exception()) is not None:
            self._fail(error)
        if self._progress is not None and self._meter.measure(self._settled):
            self._progress(
                Progress(
                    self._settled,
                    self._meter.rate,
                    self._pacer.in_flight,
                    self._pacer.throttled,
                )
            )

    def _halt(self, why: str | None) -> None:
        if self._halted_at is None:
            self._halted_at = monotonic()
            self._incomplete = why
            self._pacer.close()
            self._news.set()

    def _fail(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error
        self._halt(None)

    def _why(self) -> str | None:
        if self._incomplete is not None or not self._aside:
            return self._incomplete
        return f"{self._aside} rows kept failing: {self._aside_because}"

    async def _work(self) -> None:
        while self._halted_at is None:
            job = self._next()
            if job is None:
                if self._finished:
                    self._news.set()
                    return
                self._news.clear()
                await self._news.wait()
                continue
            self._in_hand += 1
            request = self._request(job)
            if request is not None:
                if not await self._pacer.acquire():
                    return
                await self._attempt(job, request)
            self._in_hand -= 1

    @property
    def _finished(self) -> bool:
        return (
            not self._in_hand
            and not self._next_up
            and not self._backing_off
            and self._feed.empty
            and (self._batch is None or self._row >= len(self._batch))
        )

    def _next(self) -> Job | None:
        if self._journal.late:
            return None
        while self._next_up:
            job = self._next_up.popleft()
            if job.key is not None or not self._limits.exceeded_by(job):
                return job
            self._push(job.split())
        if self._backing_off + len(self._parked) >= self._most_waiting:
            return None
        return self._fresh()

    def _fresh(self) -> Job | None:
        while True:
            batch = self._batch
            if batch is None or self._row >= len(batch):
                batch = self._batch = self._feed.take()
                self._row = 0
                if batch is None:
                    return None
                continue
            row = self._row
            if batch.operation is Operation.EVENT:
                job = cut(batch, row, self._limits)
                self._row = job.stop
                return job
            self._row = row + 1
            key = batch.keys[row]
            job = Job(batch, row, row + 1, key)
            if key not in self._busy:
                self._busy.add(key)
                return job
            self._parked.setdefault(key, deque()).append(job)

    def _request(self, job: Job) -> Request | None:
        try:
            return job.request()
        except UnaddressableKeyError as error:
            self._reject(job, Refusal(0, "unaddressable_key", str(error)))
            return None

    async def _attempt(self, job: Job, request: Request) -> None:
        self._requests += 1
        if job.tries:
            self._retries += 1
        began, asked_at = monotonic(), time()
        answer = await self._transport.send(request)
        seconds = monotonic() - began
        result = answer if isinstance(answer, Failure) else answer.status
        verdict = outcome(job.batch.operation, result)
        full_size = not job.tries and job.stop == job.suspects == job.end
        self._pacer.observe(Attempt(verdict.action, answer, seconds, job.tries > 0, full_size))
        if verdict.action is Action.ACKNOWLEDGE:
            if not isinstance(answer, Failure):
                self._keep_answer(job, request, answer, asked_at)
            self._acknowledge(job)
        else:
            self._not_accepted(job, answer, verdict)

    def _keep_answer(self, job: Job, request: Request, answer: Answer, asked_at: float) -> None:
        sequence = job.batch.first + job.start
        if request.asks:
            self._journal.replies[sequence] = Reply(asked_at, answer.body)
        elif job.batch.operation is Operation.HARD_DELETE:
            self._journal.answers[sequence] = answer.status

    def _acknowledge(self, job: Job) -> None:
        first = job.batch.first
        if job.key is not None:
            self._journal.acknowledge(range(first + job.start, first + job.stop))
            self._settled += 1
            self._release(job.key)
            return
        for run in job.runs():
            self._journal.acknowledge(range(first + run.start, first + run.stop))
        for row, words in job.proven.items():
            self._journal.rejected.append(_rejection(first + row, words))
        self._limits.accepted(job.rows, job.size)
        self._refused_in_a_row = 0
        if job.found:
            self._limits.no_culprit()
        self._settled += job.rows + len(job.proven)
        self._push(job.after_accepted())

    def _not_accepted(self, job: Job, answer: Answer | Failure, verdict: Outcome) -> None:
        action = verdict.action
        if action is Action.STOP:
            self._fail(stopped(self._target.name, answer, verdict))
        elif action is Action.RETRY or action is Action.THROTTLE:
            self._retry(job, answer, blame=action is Action.RETRY)
        elif not isinstance(answer, Failure):
            words = refusal(answer.status, answer.body)
            if job.rows == 1:
                self._reject(job, words)
            elif action is Action.SHRINK:
                self._limits.too_large(job.rows, job.size)
                self._push(job.split())
            elif self._refused_in_a_row >= HOPELESS:
                self._push(job.singles())
            else:
                self._push(job.refused(words))

    def _reject(self, job: Job, words: Refusal) -> None:
        self._refused_in_a_row += 1
        self._journal.rejected.append(_rejection(job.batch.first + job.first_row, words))
        self._settled += 1
        if job.key is not None:
            self._release(job.key)
        else:
            self._push(job.after_rejected())

    def _retry(self, job: Job, answer: Answer | Failure, *, blame: bool) -> None:
        """Send again later; only failures while others succeed speak against the request itself."""
        if not blame:
            self._throttled += 1
        elif self._out_of_patience(job, answer):
            return
        job.tries += 1
        wait = self._pacer.backoff(job.tries)
        self._backing_off += 1
        asyncio.get_running_loop().call_later(wait, self._again, job)

    def _again(self, job: Job) -> None:
        self._backing_off -= 1
        self._push([job])

    def _out_of_patience(self, job: Job, answer: Answer | Failure) -> bool:
        if job.rows > 1 and job.tries >= PATIENCE_WITH_BATCHES and answer is not Failure.CONNECT:
            self._push(job.split())
            return True
        if job.witness == self._settled:
            return False
        job.witness = self._settled
        job.failures += 1
        if job.rows > 1 or job.failures < PATIENCE:
            return False
        self._set_aside(job, answer)
        return True

    def _set_aside(self, job: Job, answer: Answer | Failure) -> None:
        self._aside += 1
        self._aside_because = describe(answer)
        if job.key is not None:
            self._aside += len(self._parked.pop(job.key, ()))
        else:
            self._push(job.after_rejected())

    def _release(self, key: bytes) -> None:
        waiting = self._parked.get(key)
        if waiting is None:
            self._busy.discard(key)
            return
        self._next_up.append(waiting.popleft())
        if not waiting:
            del self._parked[key]
        self._news.set()

    def _push(self, jobs: list[Job]) -> None:
        if jobs:
            self._next_up.extendleft(reversed(jobs))  # what was begun is finished first
            self._news.set()


def _rejection(sequence: int, words: Refusal) -> Rejection:
    return Rejection(sequence, words.status, words.code, words.message, words.field)


class _Meter:
    """Rows a second, lately."""

    def __init__(self) -> None:
        self._at = monotonic()
        self._settled = 0
        self.rate = 0.0

    def measure(self, settled: int) -> bool:
        """Whether it is time to tell again."""
        now = monotonic()
        elapsed = now - self._at
        if elapsed < PROGRESS_SECONDS:
            return False
        latest = (settled - self._settled) / elapsed
        self.rate = latest if not self._settled else 0.7 * self.rate + 0.3 * latest
        self._at, self._settled = now, settled
        return True
