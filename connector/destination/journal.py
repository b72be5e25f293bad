"""What became of rows, handed on in a thread at steady intervals: no disk is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from connector.destination.work import Rejection, Reply, Settlement


class Journal:
    """Collects outcomes and settles them every `seconds`, one settlement at a time.

    While a settlement takes longer than that, `late` is true, and nothing more should be sent: what
    was acknowledged and not settled is what a crash repeats.
    """

    def __init__(
        self, settle: Callable[[Settlement], None], seconds: float, on_time: Callable[[], None]
    ) -> None:
        self._settle = settle
        self._seconds = seconds
        self._on_time = on_time
        self._ending = asyncio.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="delivery-settle")
        self.acknowledged: list[range] = []
        self.rejected: list[Rejection] = []
        self.answers: dict[int, int] = {}
        self.replies: dict[int, Reply] = {}
        self.late = False
        self.task = asyncio.create_task(self._run())

    def acknowledge(self, rows: range) -> None:
        """A run of rows was accepted."""
        before = self.acknowledged[-1] if self.acknowledged else range(0)
        if before.stop == rows.start and before:
            self.acknowledged[-1] = range(before.start, rows.stop)
        else:
            self.acknowledged.append(rows)

    async def end(self) -> None:
        """Settle what is left; raises what a settlement raised."""
        self._ending.set()
        try:
            await self.task
        finally:
            self._executor.shutdown()

    async def _run(self) -> None:
        while not self._ending.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._seconds)
            await self._flush()
        # The end may have been called for while a settlement was under way.
        await self._flush()

    async def _flush(self) -> None:
        if not self.acknowledged and not self.rejected:
            return
        settlement = Settlement(self.acknowledged, self.rejected, self.answers, self.replies)
        self.acknowledged, self.rejected = [], []
        self.answers, self.replies = {}, {}
        loop = asyncio.get_running_loop()
        overdue = loop.call_later(self._seconds, self._overdue)
        await loop.run_in_executor(self._executor, self._settle, settlement)
        overdue.cancel()
        self.late = False
        self._on_time()

    def _overdue(self) -> None:
        self.late = True
