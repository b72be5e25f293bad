"""What conversions are made of: DuckDB's types by family, and the checks that go with a value."""

from __future__ import annotations

from dataclasses import dataclass

from duckdb.sqltypes import DuckDBPyType

SMALL_INTEGERS = {"tinyint", "smallint", "integer", "utinyint", "usmallint", "uinteger"}
LARGE_INTEGERS = {"bigint", "ubigint", "hugeint", "uhugeint", "bignum"}
INTEGERS = SMALL_INTEGERS | LARGE_INTEGERS
FLOATS = {"float", "double"}
ZONED = {"timestamp with time zone", "timestamptz_ns"}
NAIVE = {"date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"}
TIMES = NAIVE | ZONED
CLOCKS = {"time", "time_ns", "time with time zone", "interval"}
TEXTS = {"varchar", "enum", "uuid"}


@dataclass(frozen=True, slots=True)
class Check:
    """A row for which `condition` holds breaks a rule: its reason code, and the reason."""

    condition: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """The canonical value of a field as SQL, and what may be wrong with it."""

    value: str
    checks: tuple[Check, ...] = ()


class UnconvertibleError(ValueError):
    """A column's type cannot become the field's type; `hint` says what could."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def family(type_: DuckDBPyType) -> str:
    """DuckDB's name of a type without its parameters; JSON is told apart from text."""
    return "json" if str(type_) == "JSON" else type_.id.lower()


def element_type(type_: DuckDBPyType) -> DuckDBPyType:
    """The type of the items of a list or an array."""
    child = dict(type_.children)["child"]
    if not isinstance(child, DuckDBPyType):
        raise TypeError(f"{type_} has no element type")
    return child


def whole(type_: DuckDBPyType) -> bool:
    """Whether a type holds integers only, a decimal without fraction being one."""
    kind = family(type_)
    return kind in INTEGERS or (kind == "decimal" and dict(type_.children)["scale"] == 0)


def text_of(kind: str, sql: str) -> str:
    """A text, or what JSON holds as text; null in JSON is null."""
    if kind == "json":
        return f"({sql} ->> '$')"
    return sql if kind == "varchar" else f"{sql}::VARCHAR"


def double_of(kind: str, sql: str) -> str:
    """A FLOAT by its shortest decimal: 0.1 and not the 0.10000000149011612 next to it."""
    return f"{sql}::VARCHAR::DOUBLE" if kind == "float" else f"{sql}::DOUBLE"


def not_finite(condition: str) -> Check:
    """A number is NaN or infinite where `condition` holds."""
    return Check(condition, "not_finite", "NaN and infinity are no numbers in JSON")
