"""A sketch as the text of a mapping file."""

from __future__ import annotations

from collections.abc import Iterator

from connector.coverage.yamlline import scalar
from connector.drafting.events import LOOKBACK
from connector.drafting.sketch import Entry, Sketch
from connector.mapping.rules import Kind

_PERSONAL = (
    "Personal data, which ranking does not need. To match on an address, send its keyed hash; the",
    "key is read from CONNECTOR_PII_KEY:",
)
_OFFERS = "Not sent yet. Take out the # in front of what a model should know:"
_DERIVED = (
    "No column names every row, so the id is derived from all that is sent: rows that say the same",
    "are one event. Leave a field out only where it tells none apart.",
)


def write_yaml(sketch: Sketch, rows: int) -> str:
    """The text of the file, drafted from so many rows."""
    return "\n".join(_lines(sketch, rows)) + "\n"


def _lines(sketch: Sketch, rows: int) -> Iterator[str]:
    yield f"# Drafted by looking at {rows:,} rows of {_printable(sketch.table)}: read it through."
    yield "version: 1"
    yield f"kind: {sketch.kind}"
    yield f"source: {scalar(sketch.source)}"
    yield f"table: {scalar(sketch.table)}"
    if sketch.where:
        yield _noted(f"where: {scalar(sketch.where)}", sketch.notes.get("where"))
    yield from _of_events(sketch)
    yield ""
    yield "# field of the platform: DuckDB expression over the columns"
    yield "fields:"
    yield from _fields(sketch)
    yield from _rules(sketch)
    yield ""
    yield '# schedule: "0 * * * *"'


def _of_events(sketch: Sketch) -> Iterator[str]:
    if sketch.kind is not Kind.EVENTS:
        return
    if sketch.types_by is not None:
        yield f"type: {{expr: {scalar(sketch.types_by)}}}"
    else:
        yield _noted(f"type: {scalar(sketch.event_type or '')}", sketch.notes.get("type"))
    if sketch.cursor is not None:
        yield f"cursor: {scalar(sketch.cursor)}"
        yield _noted(f"lookback: {LOOKBACK}", "late rows are read again")


def _fields(sketch: Sketch) -> Iterator[str]:
    if sketch.kind is Kind.EVENTS and not sketch.has("id"):
        yield from (f"  # {line}" for line in _DERIVED)
    for heading, entries in sketch.groups.items():
        if heading:
            yield f"  # {heading}"
        yield from (_entry(entry) for entry in entries)
    if sketch.offers or sketch.left_out:
        yield ""
        yield f"  # {_OFFERS}"
        yield from (_entry(entry, "# ") for entry in sketch.offers)
        for column, reason in sketch.left_out.items():
            yield f"  # ({_printable(column)}: {_printable(reason)})"
    if sketch.personal:
        yield ""
        yield from (f"  # {line}" for line in _PERSONAL)
        yield from (_entry(entry, "# ") for entry in sketch.personal)


def _entry(entry: Entry, before: str = "") -> str:
    return _noted(f"  {before}{entry.line}", entry.note)


def _rules(sketch: Sketch) -> Iterator[str]:
    if sketch.kind is not Kind.USERS:
        return
    if sketch.consent is not None:
        yield ""
        yield "# Nobody is sent without consent, and null is no consent."
        yield "consent:"
        yield f"  when: {scalar(sketch.consent)}"
        yield "  otherwise: skip"
    yield ""
    yield "# Only these rules delete. A soft delete can be undone, a hard one is forever."
    yield "deletes:"
    yield _noted("  missing: soft", "the row is gone from the table")
    for key, condition in sorted(sketch.deletes.items(), reverse=True):
        yield f"  {key}: {scalar(condition)}"


def _noted(line: str, note: str | None) -> str:
    return f"{line}  # {_printable(note)}" if note else line


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
