"""Numbers, tables and colours for people."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click


def tint(text: str, color: str) -> str:
    """Coloured text, unless `NO_COLOR` is set; `click.echo` strips it outside of a terminal."""
    return text if os.environ.get("NO_COLOR") else click.style(text, fg=color)


def bold(text: str) -> str:
    """Text that stands out, under the same conditions."""
    return text if os.environ.get("NO_COLOR") else click.style(text, bold=True)


def fit(text: str) -> str:
    """Text fit for a terminal: keys and messages of others may hold escape sequences."""
    return "".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text)


def one_line(text: str, most: int = 200) -> str:
    """Text fit for one line of a terminal, shortened to so many characters."""
    line = "".join(each if each.isprintable() else _escaped(each) for each in text[: most + 1])
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min`, `2 h 5 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def moment(when: datetime) -> str:
    """A naive UTC time as JSON and people read it: `2026-03-01T12:00:00Z`."""
    return f"{when.isoformat(timespec='seconds')}Z"


def ago(when: datetime) -> str:
    """How long a naive UTC time is past: `3 min ago`."""
    seconds = (datetime.now(UTC).replace(tzinfo=None) - when).total_seconds()
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.0f} days ago"
    return f"{duration(max(0.0, seconds))} ago" if seconds >= 10 else "just now"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, left: int = 1) -> list[str]:
    """Aligned lines under a header: the first `left` columns to the left, the others, which are
    numbers, to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]

    def line(row: Sequence[str]) -> str:
        parts = [
            cell.ljust(width) if position < left else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(parts).rstrip()

    return [line(header), *map(line, cells)]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else one_line(str(value))


def echo_json(document: dict[str, Any]) -> None:
    """The one JSON document of a command, on stdout."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, default=_json_value))


def _json_value(value: object) -> str:
    return moment(value) if isinstance(value, datetime) else str(value)
