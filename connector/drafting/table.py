"""The table that a mapping is drafted from: its columns and what the first rows say about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connector.coverage.suggest import Sample
from connector.drafting.names import words
from connector.mapping.canonical import family, whole
from connector.mapping.pii import ADDRESS, PHONE_NUMBER, looks_direct
from connector.mapping.private import personal
from connector.sql import identifier, literal

_NEARLY = 0.97
"""The part of the rows that a key has to name, each by itself."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the sampled rows.

    `kind` is text, number, time, boolean, list or object; `filled` the part of the rows with a
    value; `distinct` counts the values of texts and numbers, exactly.
    """

    name: str
    words: str
    kind: str
    filled: float
    distinct: int

    @property
    def sql(self) -> str:
        """The column's name, quoted."""
        return identifier(self.name)


class Table:
    """Sampled rows, asked about; nothing is read from the source any more."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.rows = int(sample.one("count(*)") or 0)
        self.columns = [self._column(name) for name in sample.types]
        everything = ", ".join(f"{each.sql}::VARCHAR" for each in self.columns)
        self._rows_alike = int(sample.one(f"count(DISTINCT hash({everything}))") or 0)

    def _column(self, name: str) -> Column:
        kind, column = self.sample.kind(name), identifier(name)
        filled = (self.sample.one(f"count({column})") or 0) / max(self.rows, 1)
        countable = kind in {"text", "number"}
        distinct = self.sample.one(f"count(DISTINCT {column})") if countable else 0
        return Column(name, words(name), kind, filled, int(distinct or 0))

    @property
    def has_copies(self) -> bool:
        """Whether some rows say exactly the same."""
        return self._rows_alike < self.rows

    def find(
        self, patterns: Iterable[str], kinds: str, *, used: Iterable[str] = (), filled: float = 0.0
    ) -> Column | None:
        """The first column of a pattern and of one of `kinds`, more than `filled` of it filled."""
        return next(self.matching(patterns, kinds, used=used, filled=filled), None)

    def matching(
        self, patterns: Iterable[str], kinds: str, *, used: Iterable[str] = (), filled: float = 0.0
    ) -> Iterator[Column]:
        """All of them, in the order of the patterns."""
        taken, wanted = set(used), kinds.split()
        for pattern in patterns:
            for column in self.columns:
                fits = re.fullmatch(pattern, column.words) and column.kind in wanted
                if fits and column.name not in taken and column.filled > filled:
                    taken.add(column.name)
                    yield column

    def holds(self, condition: str) -> bool:
        """Whether a condition over the sampled rows is true; one that cannot be asked is not."""
        return bool(self.sample.one(condition))

    def share(self, condition: str) -> float:
        """The part of the rows for which a condition holds."""
        return float(self.sample.one(f"count(*) FILTER ({condition})") or 0) / max(self.rows, 1)

    def tells_apart(self, column: Column, *, copies: bool = False) -> bool:
        """Whether a column names every row, no two alike; `copies` of a whole row are one."""
        usable = self.is_key(column) and column.filled == 1.0
        return usable and column.distinct == (self._rows_alike if copies else self.rows)

    def nearly_tells_apart(self, column: Column, *, copies: bool = False) -> bool:
        """The same, but for the odd row that is broken: it will be rejected."""
        enough = _NEARLY * (self._rows_alike if copies else self.rows)
        return self.is_key(column) and column.filled >= _NEARLY and column.distinct >= enough

    def is_key(self, column: Column) -> bool:
        """Whether its values can be keys: text, or whole numbers however they are stored."""
        if looks_direct(column.name) or column.kind not in {"text", "number"}:
            return False
        return column.kind == "text" or self._is_whole(column)

    def _is_whole(self, column: Column) -> bool:
        type_ = self.sample.types[column.name]
        return whole(type_) or self.holds(f"bool_and({column.sql} = floor({column.sql}))")

    def key(self, column: Column, *, optional: bool = False) -> str:
        """The expression of a column as a key: `17850.0` is 17850, and blanks are none of it.

        Where the key is `optional`, an empty text stands for none.
        """
        spelled = self.sample.spelled(column.name)
        type_ = self.sample.types[column.name]
        if column.kind == "number":
            plain = whole(type_)
            return column.name if plain else f"CAST({spelled} AS BIGINT)"
        if family(type_) != "varchar":
            return column.name
        if self.holds(f"bool_and(regexp_full_match({column.sql}, '[0-9]+[.]0+'))"):
            return f"regexp_replace({spelled}, '[.]0+$', '')"
        trimmed = self.holds(f"bool_or({column.sql} <> trim({column.sql}))")
        value = f"trim({spelled})" if trimmed else spelled
        if optional and self.holds(f"bool_or(trim({column.sql}) = '')"):
            return f"nullif({value}, '')"
        return value if trimmed else column.name

    def is_time(self, column: Column) -> bool:
        """Whether a column holds times: as such, as text, or as seconds or milliseconds of 1970."""
        value = column.sql
        if column.kind == "time":
            return True
        if column.kind == "text":
            parsed = f"count(TRY_CAST({value} AS TIMESTAMPTZ)) >= 0.95 * count({value})"
            return self.holds(f"count({value}) > 0 AND {parsed}")
        within = "BETWEEN 946684800 AND 4102444800"
        seconds = f"bool_and({value} {within} OR {value} / 1000 {within})"
        return column.kind == "number" and self._is_whole(column) and self.holds(seconds)

    def tidy(self, column: Column) -> str:
        """A text column without blanks at its ends, and short codes in one case."""
        spelled = self.sample.spelled(column.name)
        if column.kind != "text" or family(self.sample.types[column.name]) != "varchar":
            return column.name
        blank = self.holds(f"bool_or({column.sql} <> trim({column.sql}))")
        value = f"trim({spelled})" if blank else spelled
        codes = f"max(length(trim({column.sql}))) <= 3"
        mixed = f"bool_or({column.sql} <> upper({column.sql}))"
        if "country" in column.words and self.holds(f"{codes} AND {mixed}"):
            return f"upper({value})"
        return value if blank else column.name

    def is_personal(self, column: Column) -> bool:
        """Whether a column says who somebody is: by its name, or as it holds addresses to write to
        or numbers to call."""
        return personal(column.name) or self.is_direct(column)

    def is_direct(self, column: Column) -> bool:
        """Whether it is an e-mail address or a telephone number."""
        if looks_direct(column.name):
            return True
        if column.kind not in {"text", "list", "object"}:
            return False
        text = f"{column.sql}::VARCHAR"
        found = (f"regexp_matches({text}, {literal(each)})" for each in (ADDRESS, PHONE_NUMBER))
        return self.holds(f"bool_or({' OR '.join(found)})")
