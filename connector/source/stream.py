"""A stream of batches whose errors arrive as they were raised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from connector.errors import SourceError


@contextmanager
def stream(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatchReader]:
    """A reader over `batches`, which are made as they are asked for.

    Whoever consumes it, DuckDB say, reports a failure of the stream in words of its own; out of
    this block comes the `SourceError` that `batches` raised.
    """
    failed: list[SourceError] = []

    def watched() -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except SourceError as error:
            failed.append(error)
            raise

    try:
        yield pa.RecordBatchReader.from_batches(schema, watched())
    except Exception:
        if failed:
            raise failed[0] from None
        raise
