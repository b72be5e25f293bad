"""Incremental reads: where the next one begins, and what it takes to know an event again.

The *watermark* is how far the cursor came over rows that are settled: acknowledged, rejected or
left out. The next read begins a lookback before it. The snapshot keeps the events from there on
(the *horizon*), and nothing before: state is bounded by the lookback.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.report import Freshness, Lag
from connector.snapshot.lags import Lags
from connector.snapshot.store import Store
from connector.source.base import Window
from connector.windows import MILLISECOND, milliseconds, moment_of

if TYPE_CHECKING:
    from connector.prepare import Bound, Compared


def next_window(mapping: Mapping, store: Store) -> Window | None:
    """What an incremental read reads: from the watermark less the lookback; None reads all.

    A longer lookback takes effect from the horizon on: what lies before is not known any more, and
    would be sent again. Another cursor says nothing of where the first one came.
    """
    watermark = store.meta("watermark")
    if mapping.cursor is None or watermark is None or store.meta("cursor") != mapping.cursor:
        return None
    start = int(watermark) - mapping.lookback // MILLISECOND
    horizon = store.meta("horizon")
    if horizon is not None:
        start = max(start, int(horizon))
    return Window(mapping.cursor, moment_of(start), or_null=True)


def start_over(store: Store) -> None:
    """Forget how far the cursor came: a full refresh that is killed is then read to its end."""
    store.remember(watermark=None, horizon=None)


def remember_types(bound: Bound, compared: Compared) -> None:
    """Note the type of each field, which the platform fixes when it first arrives.

    A field that is no longer mapped keeps its type there, and here: but for a full refresh, which
    is what follows once it was given another on the platform.
    """
    store = compared.stage.store
    before = {} if compared.rules.refresh else json.loads(store.meta("types") or "{}")
    now = {name: str(type_) for name, type_ in bound.compiled.types.items()}
    store.remember(types=json.dumps(before | now))


def remember_read(bound: Bound, compared: Compared, started: datetime) -> None:
    """Note what the next sync has to know: types, row count, and how far the cursor came.

    `started` is when the read began, in naive UTC: cursors beyond it are in the future.
    """
    store, mapping = compared.stage.store, bound.mapping
    complete = compared.rules.complete
    remember_types(bound, compared)
    store.remember(
        rows=str(compared.decided.source) if complete else store.meta("rows"),
        cursor=mapping.cursor,
    )
    if mapping.cursor is not None:
        _advance(mapping, compared, started)
    elif mapping.kind is Kind.EVENTS and compared.decided.known:
        compared.stage.forget_gone()


def _advance(mapping: Mapping, compared: Compared, started: datetime) -> None:
    store = compared.stage.store
    reached = compared.stage.reached(milliseconds(started))
    if reached is None:
        return
    watermark, known_from = store.meta("watermark"), store.meta("horizon")
    if watermark is not None and not compared.rules.complete:
        reached = max(reached, int(watermark))
    horizon = reached - mapping.lookback // MILLISECOND
    if known_from is not None and not compared.rules.complete:
        horizon = max(horizon, int(known_from))
    compared.stage.advance(horizon)
    store.remember(watermark=str(reached), horizon=str(horizon))


def freshness(mapping: Mapping, store: Store, lags: Lags) -> Freshness | None:
    """How far behind a mapping with a cursor is after a run; `lags` are those of the run."""
    if mapping.cursor is None:
        return None
    watermark = store.meta("watermark")
    reached = None if watermark is None else moment_of(int(watermark))
    now = datetime.now(UTC).replace(tzinfo=None)
    return Freshness(
        watermark=reached,
        behind_seconds=None if reached is None else _seconds((now - reached).total_seconds()),
        lag_seconds=measured(lags),
    )


def measured(lags: Lags) -> Lag | None:
    """Lags as a report shows them; None when there were none."""
    if not lags.rows:
        return None
    in_seconds = [_seconds(each / 1000) for each in (lags.max, *map(lags.quantile, (0.5, 0.95)))]
    return Lag(lags.rows, *in_seconds)


def _seconds(exact: float) -> float:
    return round(exact, 3)
