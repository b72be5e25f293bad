"""Rejected rows as CSV, JSON or Parquet."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from connector.cli.words import moment
from connector.errors import UsageError

COLUMNS = (
    "target", "mapping", "key", "origin", "code", "field", "message", "status", "row_count",
    "attempts", "first_seen", "last_seen",
)  # fmt: skip
"""What is written of each row."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula at the beginning of a cell."""


def write_rejects(rows: Iterable[dict[str, Any]], form: str, output: Path | None) -> int:
    """Write rows to a file of its owner alone (they hold keys), or to stdout; returns how many."""
    chosen = [{name: row[name] for name in COLUMNS} for row in rows]
    with _opened(output) as file:
        {"csv": _csv, "json": _json, "parquet": _parquet}[form](chosen, file)
    return len(chosen)


@contextmanager
def _opened(output: Path | None) -> Iterator[IO[bytes]]:
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        yield file


def _csv(rows: list[dict[str, Any]], file: IO[bytes]) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row[name]) for name in COLUMNS] for row in rows)
    text.flush()
    text.detach()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _json(rows: list[dict[str, Any]], file: IO[bytes]) -> None:
    document = json.dumps(rows, indent=2, ensure_ascii=False, default=moment)
    file.write(f"{document}\n".encode())


def _parquet(rows: list[dict[str, Any]], file: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    counts, times = {"status", "row_count", "attempts"}, {"first_seen", "last_seen"}
    schema = pa.schema(
        [
            (name, pa.int64() if name in counts else pa.timestamp("us", "UTC"))
            if name in counts | times
            else (name, pa.string())
            for name in COLUMNS
        ]
    )
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows, schema=schema), file)
