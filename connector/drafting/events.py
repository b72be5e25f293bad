"""A table of events: what happened, when, to whom, with what."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from connector.coverage.clues import EVENT_CLUES
from connector.drafting import names
from connector.drafting.sketch import Entry, Sketch
from connector.drafting.table import Column, Table
from connector.drafting.users import named
from connector.errors import UsageError
from connector.mapping.rules import FieldType
from connector.sql import table_parts

LOOKBACK = "3 days"
WORTH_LEAVING_OUT = 0.005
"""The part of the rows without anybody from which they are not read at all."""

_FILE = re.compile(r"\.(csv|tsv|txt|json|ndjson|jsonl|parquet|pq)(\.gz|\.zst)?$", re.IGNORECASE)
_DWELL_MS = next(clue for clue in EVENT_CLUES if clue.field == "dwell_ms")


def sketch_events(sketch: Sketch, table: Table, key: str | None) -> None:
    """Fill in identity, time, whose it is, the type and what events of that type must have.

    Raises:
        UsageError: no column says when, or none says who.
    """
    about = _Events(sketch, table)
    about.when()
    about.who()
    about.type()
    about.own_id(key)
    about.links()


def table_words(table: str) -> str:
    """The words of a table's name: of its last part, or of a file's stem."""
    name = table.rpartition("/")[2]
    if re.search(
        r"\.(csv|tsv|txt|json|ndjson|jsonl|parquet|pq)(\.gz|\.zst)?$", name, re.IGNORECASE
    ):
        return names.words(name.partition(".")[0])
    try:
        return names.words(table_parts(table)[-1])
    except ValueError:
        return names.words(name)


@dataclass(slots=True)
class _Events:
    sketch: Sketch
    table: Table

    def _add(self, *entries: Entry, heading: str = "") -> None:
        self.sketch.add(heading, *entries)

    def when(self) -> None:
        found = self._time_column()
        if found is not None:
            type_ = None if found.kind == "time" else FieldType.TIME
            self._add(Entry("original_timestamp", found.name, type_, (found.name,)))
            if found.kind == "time":
                self.sketch.cursor = found.name
            return
        year = self.table.find(names.YEAR, "number")
        month = self.table.find(names.MONTH, "number")
        if year is None or month is None:
            raise UsageError(
                "no column says when an event happened",
                hint="put a date or a timestamp into a view of the table",
            )
        spelled = [self.table.sample.spelled(each.name) for each in (year, month)]
        day = self.table.find(names.DAY, "number")
        last = self.table.sample.spelled(day.name) if day else "1"
        columns = tuple(each.name for each in (year, month, day) if each)
        expression = f"make_date({spelled[0]}, {spelled[1]}, {last})"
        self._add(Entry("original_timestamp", expression, None, columns))

    def _time_column(self) -> Column | None:
        matching = self.table.matching(names.TIME, "time text number", filled=0.9)
        found = [each for each in matching if self.table.is_time(each)]
        found += [each for each in self.table.columns if each.kind == "time" and each.filled > 0.9]
        # Its own times before those of the warehouse, times before texts, instants before days.
        return min(
            found,
            key=lambda each: (
                names.NOT_THE_TIME.fullmatch(each.words) is not None,
                each.kind != "time",
                str(self.table.sample.types[each.name]) == "DATE",
            ),
            default=None,
        )

    def who(self) -> None:
        wanted = {"sid": names.SID, "cid": names.CID, "uid": names.UID}
        found: dict[str, Column] = {}
        for name, patterns in wanted.items():
            used = [*self.sketch.used, *(each.name for each in found.values())]
            columns = self.table.matching(patterns, "text number", used=used)
            column = next((each for each in columns if self.table.is_key(each)), None)
            if column is not None:
                found[name] = column
        if not found:
            raise UsageError(
                "no column says whose the events are: a user, a session or a client",
                hint="call it user_id, session_id or client_id in a view of the table",
            )
        for name in ("uid", "sid", "cid"):
            if name in found:
                column = found[name]
                expression = self.table.key(column, optional=True)
                self._add(Entry(name, expression, columns=(column.name,)))
        self._leave_out_nobodys(list(found.values()))

    def _leave_out_nobodys(self, who: list[Column]) -> None:
        nobody = self.table.share(" AND ".join(f"{each.sql} IS NULL" for each in who))
        if nobody > WORTH_LEAVING_OUT:
            plain = (_in_source_sql(each.name) for each in who)
            self.sketch.where = " or ".join(f"{name} is not null" for name in plain)
            self.sketch.notes["where"] = f"{nobody:.1%} of the rows are nobody's"

    def type(self) -> None:
        about = table_words(self.sketch.table)
        by_table = (type_ for pattern, type_ in names.EVENT_TABLES.items()
                    if re.fullmatch(pattern, about))  # fmt: skip
        standard = next(by_table, None)
        column = self.table.find(names.EVENT_NAME, "text", used=self.sketch.used, filled=0.9)
        if column is not None and standard is None and column.distinct <= 200:
            self.sketch.types_by = column.name
            self.sketch.claimed.add(column.name)
            self._item()
            self._rank()
            return
        custom = names.singular(about) or "event"
        if standard is None:
            self.sketch.event_type = custom
            self._item()
        elif self._mandatory(standard):
            self.sketch.event_type = standard
        else:
            self.sketch.event_type = f"{standard}_row" if custom == standard else custom
            self.sketch.notes["type"] = f"'{standard}' has mandatory fields that no column gives"

    def _mandatory(self, type_: str) -> bool:
        """Add what events of a standard type must have; False where something is not to be had."""
        match type_:
            case "conversion":
                return self._conversion()
            case "impression":
                return self._item() and self._rank()
            case "module_view":
                return self._rank()
            case "click":
                found = self._item()
                self._rank()
                return found and self._choice("click_type", names.CLICK_TYPE, "click")
            case "page_view":
                self._item()
                return self._choice("page_type", names.PAGE_TYPE, "page")
            case "dwell_time":
                return self._dwell()
        self._item()
        return True

    def _item(self) -> bool:
        columns = self.table.matching(names.ITEM, "text number", used=self.sketch.used)
        # The number of the event itself is no item: what is an item comes up more than once.
        item = next((each for each in columns if self.table.is_key(each)
                     and not self._numbers_rows(each)), None)  # fmt: skip
        if item is not None:
            self._add(Entry("item_id", self.table.key(item, optional=True), None, (item.name,)))
        return item is not None

    def _numbers_rows(self, column: Column) -> bool:
        return self.table.rows > 10 and self.table.tells_apart(column, copies=True)

    def _rank(self) -> bool:
        rank = self.table.find(names.RANK, "number", used=self.sketch.used)
        if rank is not None:
            self._add(Entry("rank", rank.name, columns=(rank.name,)))
        return rank is not None

    def _choice(self, field: str, patterns: tuple[str, ...], otherwise: str) -> bool:
        found = self.table.find(patterns, "text", used=self.sketch.used, filled=0.9)
        if found is not None and found.distinct <= 200:
            self._add(Entry(field, found.name, columns=(found.name,)))
        else:
            self._add(Entry(field, otherwise, note="look: no column says which", constant=True))
        return True

    def _dwell(self) -> bool:
        found = self.table.find((_DWELL_MS.names,), "number", used=self.sketch.used, filled=0.9)
        if found is not None:
            self._add(Entry("dwell_ms", found.name, columns=(found.name,)))
        self._item()
        return found is not None

    def _conversion(self) -> bool:
        items = self.table.find(names.ITEMS, "list", used=self.sketch.used)
        if items is not None:
            self._add(Entry("item_ids", items.name, FieldType.STRINGS, (items.name,)))
        else:
            columns = self.table.matching(names.ITEM, "text number", used=self.sketch.used)
            item = next((each for each in columns if self.table.is_key(each)
                         and not self._numbers_rows(each)), None)  # fmt: skip
            if item is None:
                return False
            value = self.table.key(item)
            spelled = self.table.sample.spelled(item.name) if value == item.name else value
            listed = f"[{spelled}]"
            if item.filled < 1:
                listed = f"CASE WHEN {spelled} IS NOT NULL THEN [{spelled}] END"
            self._add(Entry("item_ids", listed, FieldType.STRINGS, (item.name,)))
        self._add(self._conversion_type())
        for column in self.table.matching(names.WORTH, "text number", used=self.sketch.used):
            self._add(Entry(names.field_name(column.name), column.name, columns=(column.name,)))
        return True

    def _conversion_type(self) -> Entry:
        found = self.table.find(names.CONVERSION_TYPE, "text", used=self.sketch.used, filled=0.9)
        if found is not None:
            return Entry("conversion_type", found.name, columns=(found.name,))
        booked = names.BOOKINGS.fullmatch(table_words(self.sketch.table))
        usual = "booking" if booked else "purchase"
        quantity = self.table.find(names.QUANTITY, "number")
        if quantity is None or not self.table.holds(f"min({quantity.sql}) < 0"):
            return Entry("conversion_type", usual, constant=True)
        spelled = self.table.sample.spelled(quantity.name)
        expression = f"CASE WHEN {spelled} < 0 THEN 'return' ELSE '{usual}' END"
        return Entry("conversion_type", expression, note="what went back has a negative quantity")

    def own_id(self, key: str | None) -> None:
        """The id that makes sending a row twice harmless; derived from the row where none is."""
        used = self.sketch.used
        if key is not None:
            found: Column | None = named(self.table, key)
        else:
            number = rf"(.*_)?({names.NUMBERS})"
            own = names.singular(table_words(self.sketch.table))
            patterns = rf"id|event_({names.NUMBERS})|{re.escape(own)}_({names.NUMBERS})", number
            nearly = partial(self.table.nearly_tells_apart, copies=True)
            exactly = partial(self.table.tells_apart, copies=True)
            called_so = self.table.matching(patterns[:1], "text number", used=used)
            numbers = self.table.matching(patterns, "text number", used=used)
            found = next(filter(nearly, called_so), None) or next(filter(exactly, numbers), None)
        if found is None:
            return
        note = "copies of a row are one event" if self.table.has_copies else None
        self.sketch.groups[""].insert(
            0, Entry("id", self.table.key(found), columns=(found.name,), note=note)
        )

    def links(self) -> None:
        for name, patterns in names.LINKS.items():
            found = self.table.find(patterns, "text", used=self.sketch.used)
            if found is not None:
                self._add(Entry(name, found.name, columns=(found.name,)))


def _in_source_sql(name: str) -> str:
    """A column as every warehouse understands it: quoted where its name needs it."""
    plain = re.fullmatch(r"[a-z_][a-z0-9_]*|[A-Z_][A-Z0-9_]*", name)
    return name if plain else '"' + name.replace('"', '""') + '"'
