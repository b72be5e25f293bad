"""The writer: rows in, acknowledgements out, at the pace the API allows."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable

from connector.destination.delivery import DeliveryRun
from connector.destination.held import HeldPacer
from connector.destination.pacing import LocalPacer, Pacer
from connector.destination.target import Target
from connector.destination.transport import HttpTransport, Transport, check_address
from connector.destination.work import Delivery, Progress, Settlement, WorkBatch
from connector.stop import Stop

if sys.platform == "win32":
    _new_event_loop = asyncio.new_event_loop
else:
    from uvloop import new_event_loop as _new_event_loop


class Writer:
    """Delivers work batches to one target. One delivery at a time; may be used again.

    `transport` replaces HTTP; it is closed at the end of each delivery. `flush_seconds` is the
    longest time between an acknowledgement and its settlement.
    """

    def __init__(
        self,
        target: Target,
        *,
        transport: Transport | None = None,
        flush_seconds: float = 0.5,
    ) -> None:
        check_address(target.base_url)
        self._target = target
        self._transport = transport
        self._flush_seconds = flush_seconds

    def deliver(
        self,
        batches: Iterable[WorkBatch],
        settle: Callable[[Settlement], None],
        *,
        stop: Stop | None = None,
        progress: Callable[[Progress], None] | None = None,
        held: Callable[[], bool] | None = None,
        sharers: Callable[[], int] | None = None,
        ended: Callable[[Delivery], None] | None = None,
    ) -> Delivery:
        """Send every row and say what became of it; blocks until that is done or has to end.

        `batches` is read in one thread, `settle` called in another, never twice at once, at most
        `flush_seconds` after an acknowledgement and once more before this returns or raises. A row
        that was not settled is pending: it may or may not have arrived, and is to be sent again.

        While `held` says so no request leaves; `sharers` tells how many processes use the quota of
        the target. Both are asked often, in the event loop. `ended` is told how it went, and so it
        is where this raises.

        Returns with `incomplete` set when asked to stop, when the API keeps failing, or wants more
        patience than the target's `max_wait`. Raises DestinationError when the API would refuse any
        row, and whatever `batches` or `settle` raised; requests in flight get a few seconds to
        finish first.
        """
        loop = _new_event_loop()
        try:
            return loop.run_until_complete(
                self._deliver(batches, settle, stop, progress, held, sharers, ended)
            )
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    async def _deliver(
        self,
        batches: Iterable[WorkBatch],
        settle: Callable[[Settlement], None],
        stop: Stop | None,
        progress: Callable[[Progress], None] | None,
        held: Callable[[], bool] | None,
        sharers: Callable[[], int] | None,
        ended: Callable[[Delivery], None] | None,
    ) -> Delivery:
        transport = self._transport or HttpTransport(self._target)
        pacer: Pacer = LocalPacer(self._target, sharers)
        if held is not None:
            pacer = HeldPacer(pacer, held)
        run = DeliveryRun(
            self._target,
            transport,
            pacer,
            batches,
            settle,
            self._flush_seconds,
            stop,
            progress,
            ended,
        )
        return await run.run()
