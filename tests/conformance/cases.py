"""Awkward values, and what must arrive of each: worked out by hand, never by the connector."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rejected:
    """The row is refused, with this code and the field's name."""

    code: str


Expected = Any | Rejected


@dataclass(frozen=True, slots=True)
class Case:
    """A column of one kind, its values as text, and what arrives of each; None is no value."""

    kind: str
    values: dict[str | None, Expected]
    type: str | None = None
    """The declared type of the field."""
    sources: frozenset[str] | None = None
    """Where only some of the sources keep these values apart."""


BIG = 2**53
TOO_LARGE = Rejected("integer_too_large")
NOT_FINITE = Rejected("not_finite")
BAD_TIME = Rejected("bad_time")
TOO_LONG = Rejected("too_long")
NOT_STRINGS = Rejected("not_strings")
NOT_EMBEDDING = Rejected("not_an_embedding")
NOT_OBJECT = Rejected("not_an_object")
NOT_NUMBER = Rejected("not_a_number")
NOT_BOOLEAN = Rejected("not_a_boolean")

UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
STRUCTURED = frozenset({"duckdb", "duckdb_query", "parquet"})

TEXTS = [
    "plain", "it's", 'say "hi"', "back\\slash", "line\nbreak\r\n", "\ttab", FAMILY, "Ünï çødé",
    "  spaces  ", "NULL", "null", "{}", "'; DROP TABLE users; --", "$1", "a,b;c|d", "\x01\x1f\x7f",
    "\u2028", "x" * 16384, "é" * 8192,
]  # fmt: skip

_TIMES = {
    "2024-01-02 03:04:05": "2024-01-02T03:04:05.000Z",
    "1969-12-31 23:59:59": "1969-12-31T23:59:59.000Z",
    "0001-01-01 00:00:00": "0001-01-01T00:00:00.000Z",
    "9999-12-31 23:59:59": "9999-12-31T23:59:59.000Z",
    "10000-01-01 00:00:00": BAD_TIME,
    "0044-03-15 (BC) 00:00:00": BAD_TIME,
    "infinity": BAD_TIME,
    "-infinity": BAD_TIME,
}


def _moments(**given: Any) -> str:
    names = ("at", "zoned", "day", "clock", "price", "whole", "small", "big", "code")
    return json.dumps(dict.fromkeys(names) | given)


_COMMON_TIMES = {name: _TIMES[name] for name in list(_TIMES)[:2]}

CASES: dict[str, Case] = {
    "text": Case("text", {text: text for text in TEXTS} | {
        "x" * 16385: TOO_LONG, "é" * 8193: TOO_LONG, "x" * 20480: TOO_LONG}),
    "empty_text": Case("text", {"": ""}, sources=STRUCTURED | {"json"}),
    "text_with_nul": Case("text", {"a\0b": "a\0b"}, sources=STRUCTURED | {"json"}),
    "relation": Case("text", {"other": "other"}, type="relation"),
    "yes_no": Case("bool", {"true": True, "false": False}),
    "boolean_as_number": Case("bool", {"true": 1, "false": 0}, type="number"),
    "boolean_as_text": Case("bool", {"true": "true"}, type="string"),
    # Integers
    "int8": Case("int8", {"-128": -128, "127": 127}),
    "int16": Case("int16", {"-32768": -32768}),
    "int32": Case("int32", {"2147483647": 2147483647}),
    "int64": Case("int64", {
        "0": 0, "-1": -1, str(BIG): BIG, str(-BIG): -BIG, str(BIG + 1): TOO_LARGE,
        str(-BIG - 1): TOO_LARGE, str(2**63 - 1): TOO_LARGE, str(-(2**63)): TOO_LARGE}),
    "int128": Case("int128", {"5": 5, str(2**127 - 1): TOO_LARGE, str(-(2**127)): TOO_LARGE}),
    "uint8": Case("uint8", {"255": 255}),
    "uint16": Case("uint16", {"65535": 65535}),
    "uint32": Case("uint32", {"4294967295": 4294967295}),
    "uint64": Case("uint64", {str(BIG): BIG, str(2**64 - 1): TOO_LARGE}),
    "uint128": Case("uint128", {"7": 7, str(2**128 - 1): TOO_LARGE}),
    "bignum": Case("bignum", {"12": 12.0, "-" + "9" * 60: TOO_LARGE}),
    "bignum_as_text": Case("bignum", {"9" * 60: "9" * 60}, type="string"),
    "int64_as_text": Case("int64", {str(2**63 - 1): str(2**63 - 1)}, type="string"),
    "uint128_as_text": Case("uint128", {str(2**128 - 1): str(2**128 - 1)}, type="string"),
    "int64_as_boolean": Case("int64", {"0": False, "1": True, "2": NOT_BOOLEAN}, type="boolean"),
    "decimal_as_boolean": Case("decimal(1,0)", {"1": True, "9": NOT_BOOLEAN}, type="boolean"),
    # Numbers with a fraction
    "double": Case("double", {
        "0.1": 0.1, "1e300": 1e300, "5e-324": 5e-324, "123456789.125": 123456789.125,
        "-2.5": -2.5, "9007199254740993": 9007199254740992.0}),
    "double_without_value": Case("double", {
        "nan": NOT_FINITE, "inf": NOT_FINITE, "-inf": NOT_FINITE}, sources=STRUCTURED),
    "float": Case("float", {
        "0.1": 0.1, "16777217": 16777216.0, "3.4028235e38": 3.4028235e38, "1e-45": 1e-45,
        "nan": NOT_FINITE, "inf": NOT_FINITE}),
    "money": Case("decimal(18,2)", {
        "19.99": 19.99, "-0.01": -0.01, "5": 5.0, "9999999999999999.99": 1e16}),
    "whole_decimal": Case("decimal(38,0)", {
        "5": 5, str(-BIG): -BIG, str(BIG + 1): TOO_LARGE, "9" * 38: TOO_LARGE}),
    "money_as_text": Case("decimal(18,2)", {"19.90": "19.90"}, type="string"),
    "rank": Case("double", {
        "3": 3, "2.5": Rejected("not_an_integer"), "1e300": Rejected("not_an_integer")}),
    # Times
    "date": Case("date", {
        "2024-02-29": "2024-02-29T00:00:00.000Z", "0001-01-01": "0001-01-01T00:00:00.000Z",
        "9999-12-31": "9999-12-31T00:00:00.000Z"}),
    "odd_date": Case("date", {
        "10000-01-01": BAD_TIME, "0044-03-15 (BC)": BAD_TIME, "5877642-06-25 (BC)": BAD_TIME,
        "infinity": BAD_TIME, "-infinity": BAD_TIME}, sources=STRUCTURED),
    "timestamp_s": Case("timestamp_s", _COMMON_TIMES),
    "timestamp_ms": Case("timestamp_ms", _COMMON_TIMES | {
        "2024-01-02 03:04:05.999": "2024-01-02T03:04:05.999Z"}),
    "timestamp": Case("timestamp_us", _COMMON_TIMES),
    "timestamp_us": Case("timestamp_us", {
        "2024-01-02 03:04:05.678901": "2024-01-02T03:04:05.678Z",
        "2023-12-31 23:59:59.999999": "2023-12-31T23:59:59.999Z"}, sources=STRUCTURED | {"csv"}),
    "odd_timestamp": Case("timestamp_us", _TIMES, sources=STRUCTURED),
    "timestamp_ns": Case("timestamp_ns", _COMMON_TIMES | {
        "2024-01-02 03:04:05.123456789": "2024-01-02T03:04:05.123Z",
        "2023-12-31 23:59:59.999999999": "2023-12-31T23:59:59.999Z"}),
    "timestamptz": Case("timestamptz", {
        "2024-01-02 03:04:05.5+02": "2024-01-02T01:04:05.500Z",
        "2024-01-01 00:30:00+14": "2023-12-31T10:30:00.000Z",
        "10000-01-02 00:00:00+00": BAD_TIME}),
    "endless_timestamptz": Case("timestamptz", {"infinity": BAD_TIME, "-infinity": BAD_TIME},
        sources=STRUCTURED | {"postgres"}),
    "timestamptz_ns": Case("timestamptz_ns", {
        "2024-01-02 03:04:05.123456789+02": "2024-01-02T01:04:05.123Z"}),
    "timestamptz_as_text": Case("timestamptz", {
        "2024-01-02 03:04:05.5+02": "2024-01-02T01:04:05.500Z"}, type="string"),
    "time": Case("time", {"03:04:05.5": "03:04:05.5"}, type="string"),
    "time_ns": Case("time_ns", {"03:04:05.123456789": "03:04:05.123456789"}, type="string"),
    "timetz": Case("timetz", {"03:04:05+02": "03:04:05+02"}, type="string"),
    "interval": Case("interval", {"1 month 2 days": "1 month 2 days"}, type="string"),
    "unix": Case("int64", {
        "1704164645": "2024-01-02T03:04:05.000Z", "1704164645123": "2024-01-02T03:04:05.123Z",
        "0": "1970-01-01T00:00:00.000Z", "-1": "1969-12-31T23:59:59.000Z",
        str(2**63 - 1): BAD_TIME, str(-(2**63)): BAD_TIME}, type="time"),
    "unix_double": Case("double", {"1704164645.25": "2024-01-02T03:04:05.250Z"}, type="time"),
    "unix_nan": Case("double", {"nan": BAD_TIME, "inf": BAD_TIME, "1e300": BAD_TIME},
        type="time", sources=STRUCTURED),
    "unix_uint128": Case("uint128", {str(2**128 - 1): BAD_TIME}, type="time"),
    "unix_decimal": Case("decimal(38,0)", {
        "1704164645": "2024-01-02T03:04:05.000Z", "9" * 38: BAD_TIME}, type="time"),
    "time_text": Case("text", {
        "2024-01-02T03:04:05Z": "2024-01-02T03:04:05.000Z",
        "2024-01-02T03:04:05.678901Z": "2024-01-02T03:04:05.678Z",
        "2024-01-02T03:04:05+02:00": "2024-01-02T01:04:05.000Z",
        "2024-01-02 03:04:05-0530": "2024-01-02T08:34:05.000Z",
        "2024-01-02 03:04:05 +0200": "2024-01-02T01:04:05.000Z",
        "2024-01-02 03:04:05+02": "2024-01-02T01:04:05.000Z",
        "2024-01-02 03:04:05 UTC": "2024-01-02T03:04:05.000Z",
        "2024-01-02 03:04:05 Europe/Berlin": "2024-01-02T02:04:05.000Z",
        "2024-01-02 03:04:05": "2024-01-02T03:04:05.000Z",
        "2024-01-02T03:04": "2024-01-02T03:04:00.000Z",
        "2024-01-02": "2024-01-02T00:00:00.000Z",
        "2024/1/2": "2024-01-02T00:00:00.000Z",
        "1704164645": "2024-01-02T03:04:05.000Z",
        "1704164645123": "2024-01-02T03:04:05.123Z",
        # DuckDB's own cast to TIMESTAMP would take these and leave out what it does not know.
        "2024-01-02 03:04:05 PM": BAD_TIME, "2024-01-02 03:04:05 CEST": BAD_TIME,
        "2024-02-30": BAD_TIME, "0000-01-01": BAD_TIME, "10000-01-01": BAD_TIME,
        "20240102": BAD_TIME, "03:04:05": BAD_TIME, "yesterday": BAD_TIME, "now": BAD_TIME,
        "infinity": BAD_TIME, "99999999999999999999": BAD_TIME}, type="time"),
    "blank_time_text": Case("text", {"": BAD_TIME}, type="time", sources=STRUCTURED),
    # Text that says something else
    "number_text": Case("text", {
        "5": 5.0, " 12 ": 12.0, "+7": 7.0, "1e3": 1000.0, "-0.5": -0.5, str(BIG): float(BIG),
        "abc": NOT_NUMBER, "1,5": NOT_NUMBER, "0x10": NOT_NUMBER, "nan": NOT_FINITE,
        "-inf": NOT_FINITE, str(BIG + 1): TOO_LARGE, "9" * 60: TOO_LARGE}, type="number"),
    "blank_number_text": Case("text", {"": NOT_NUMBER}, type="number", sources=STRUCTURED),
    "boolean_text": Case("text", {
        "true": True, "FALSE": False, "t": True, "0": False, "1": True, "yes": True, "no": False,
        "maybe": NOT_BOOLEAN, "2": NOT_BOOLEAN}, type="boolean"),
    "strings_text": Case("text", {
        '["a", "b"]': ["a", "b"], "[]": [], '["it\'s \\"so\\""]': ['it\'s "so"'], "null": None,
        '["a", 1]': NOT_STRINGS, '["a", null]': NOT_STRINGS, '[["a"]]': NOT_STRINGS,
        '{"a": 1}': NOT_STRINGS, '"a"': NOT_STRINGS, "a, b": NOT_STRINGS,
        json.dumps(["x" * 16385]): TOO_LONG}, type="array<string>"),
    "embedding_text": Case("text", {
        "[0.1, 0.2]": [0.1, 0.2], "[1,2,3]": [1.0, 2.0, 3.0], "null": None,
        json.dumps([0.5] * 1024): [0.5] * 1024, json.dumps([0.5] * 1025): TOO_LONG,
        '[1, "a"]': NOT_EMBEDDING, "[1, null]": NOT_EMBEDDING, "[[1]]": NOT_EMBEDDING,
        "1,2": NOT_EMBEDDING, "{}": NOT_EMBEDDING, "[NaN]": NOT_FINITE}, type="embedding"),
    "object_text": Case("text", {
        '{"a": {"b": [1, null, "x"]}}': {"a": {"b": [1, None, "x"]}},
        '{"a": 1,}': {"a": 1},
        '{"note": "NaN, Infinity and \\"inf\\""}': {"note": 'NaN, Infinity and "inf"'},
        '{"nil": null, "nan": true}': {"nil": None, "nan": True}, " null ": None, "{}": {},
        '{"a": NaN}': NOT_FINITE, '{"a": [1, -Infinity]}': NOT_FINITE, '{"a": inf}': NOT_FINITE,
        json.dumps({"a": "x" * 4088}, separators=(",", ":")): {"a": "x" * 4088},
        json.dumps({"a": "x" * 4089}, separators=(",", ":")): TOO_LONG,
        "[1]": NOT_OBJECT, '"a"': NOT_OBJECT, "5": NOT_OBJECT, "{a: 1}": NOT_OBJECT,
        "nope": NOT_OBJECT, '{"a": 1} x': NOT_OBJECT}, type="object"),
    # Named values
    "uuid": Case("uuid", {UUID: UUID}),
    "enum": Case("enum", {"gold": "gold", "sil'ver": "sil'ver"}),
    "enum_as_number": Case("enum", {"gold": NOT_NUMBER}, type="number"),
    # JSON
    "json": Case("json", {
        '{"a": [1, 2.5, "x", null, true]}': {"a": [1, 2.5, "x", None, True]},
        "null": None, "[1]": NOT_OBJECT, '"x"': NOT_OBJECT,
        '{"id": 9007199254740993}': {"id": 9007199254740993}}),
    "json_without_value": Case("json", {'{"a": NaN}': NOT_FINITE}, sources=STRUCTURED),
    "json_as_text": Case("json", {'"x"': "x", "5": "5", "null": None, '"a\\nb"': "a\nb"},
        type="string"),
    "json_as_number": Case("json", {"5.5": 5.5, '"7"': 7.0, "null": None, "true": NOT_NUMBER},
        type="number"),
    "json_as_boolean": Case("json", {"true": True, "null": None, '"no"': False, "[]": NOT_BOOLEAN},
        type="boolean"),
    "json_as_time": Case("json", {
        '"2024-01-02"': "2024-01-02T00:00:00.000Z", "1704164645": "2024-01-02T03:04:05.000Z",
        "null": None, "{}": BAD_TIME}, type="time"),
    "json_as_strings": Case("json", {'["a"]': ["a"], "null": None, "[1]": NOT_STRINGS,
        '["a", null]': NOT_STRINGS}, type="array<string>"),
    "json_as_embedding": Case("json", {"[0.5, 1]": [0.5, 1.0], "null": None,
        "[null]": NOT_EMBEDDING, "{}": NOT_EMBEDDING}, type="embedding"),
    # Lists
    "list_text": Case("list_text", {
        '["a", "b"]': ["a", "b"], "[]": [], f'["{FAMILY}", "q\\"uote"]': [FAMILY, 'q"uote'],
        '["a", null]': NOT_STRINGS, json.dumps(["x" * 16385]): TOO_LONG}),
    "list_int_as_strings": Case("list_int", {"[1, -2]": ["1", "-2"], "[null]": NOT_STRINGS},
        type="array<string>"),
    "list_uuid": Case("list_uuid", {f'["{UUID}"]': [UUID]}),
    "list_enum": Case("list_enum", {'["gold", "sil\'ver"]': ["gold", "sil'ver"]}),
    "list_json": Case("list_json", {'["a"]': ["a"], '["a", 1]': NOT_STRINGS},
        type="array<string>"),
    "list_double": Case("list_double", {
        "[0.1, -2]": [0.1, -2.0], "[]": [], "[1, null]": NOT_EMBEDDING, '[1, "NaN"]': NOT_FINITE,
        json.dumps([0.5] * 1024): [0.5] * 1024, json.dumps([0.5] * 1025): TOO_LONG}),
    "list_float": Case("list_float", {"[0.1, 0.2]": [0.1, 0.2], '["NaN"]': NOT_FINITE}),
    "list_int": Case("list_int", {"[1, 2]": [1.0, 2.0]}),
    "list_bignum": Case("list_bignum", {"[5]": [5.0], "[" + "9" * 40 + "]": [1e40]}),
    "array_float": Case("array_float", {"[0.1, 0.2, 0.3]": [0.1, 0.2, 0.3]}),
    # Structs and maps
    "struct": Case("struct", {
        '{"name": "x", "n": 1}': {"name": "x", "n": 1},
        '{"name": null, "n": null}': {"name": None, "n": None},
        json.dumps({"name": "x" * 5000, "n": 1}): TOO_LONG}),
    "struct_odd": Case("struct_odd", {
        '{"sel\\"ect": "x", "a b": 1, "item0": true}': {'sel"ect': "x", "a b": 1, "item0": True}}),
    "struct_times": Case("struct_times", {
        _moments(
            at="2024-01-02 03:04:05.678", zoned="2024-01-02 03:04:05+02", day="2024-02-29",
            clock="03:04:05", price="19.90", whole="9" * 38, small=0.1, big=1e300, code=UUID): {
            "at": "2024-01-02T03:04:05.678Z", "zoned": "2024-01-02T01:04:05.000Z",
            "day": "2024-02-29T00:00:00.000Z", "clock": "03:04:05", "price": 19.9,
            "whole": int("9" * 38), "small": 0.1, "big": 1e300, "code": UUID},
        _moments(big="NaN"): NOT_FINITE, _moments(small="-Infinity"): NOT_FINITE,
        _moments(day="infinity"): BAD_TIME, _moments(at="10000-01-01"): BAD_TIME,
        _moments(zoned="infinity"): BAD_TIME}),
    "struct_lists": Case("struct_lists", {
        '{"xs": [{"at": "2024-01-02 03:04:05"}, {"at": null}, null], "days": [["2024-02-29"], []]}':
            {"xs": [{"at": "2024-01-02T03:04:05.000Z"}, {"at": None}, None],
             "days": [["2024-02-29T00:00:00.000Z"], []]},
        '{"xs": [{"at": "infinity"}], "days": null}': BAD_TIME,
        '{"xs": null, "days": [[], ["-infinity"]]}': BAD_TIME}),
    "map_text": Case("map_text", {'{"a": 1, "b c": null}': {"a": 1, "b c": None}, "{}": {}}),
    "map_int": Case("map_int", {'{"1": "x"}': {"1": "x"}}),
    "map_times": Case("map_times", {
        '{"a": "2024-01-02 03:04:05"}': {"a": "2024-01-02T03:04:05.000Z"},
        '{"a": "infinity"}': BAD_TIME}),
    "variant": Case("variant", {
        '{"n": 1, "day": "2024-02-29", "x": null}': {"n": 1, "day": "2024-02-29", "x": None},
        '{"n": null, "day": null, "x": "NaN"}': NOT_FINITE}),
}  # fmt: skip

BERLIN: dict[str, Case] = {
    "timestamp_us": Case("timestamp_us", {
        "2024-01-01 00:00:00": "2023-12-31T23:00:00.000Z",
        "2024-07-01 12:00:00": "2024-07-01T10:00:00.000Z",
        # 02:30 does not exist on the one day and exists twice on the other: then it is the later.
        "2024-03-31 01:59:59": "2024-03-31T00:59:59.000Z",
        "2024-03-31 02:30:00": "2024-03-31T01:30:00.000Z",
        "2024-03-31 03:00:00": "2024-03-31T01:00:00.000Z",
        "2024-10-27 02:30:00": "2024-10-27T01:30:00.000Z"}),
    "odd_timestamp": Case("timestamp_us", {
        "infinity": BAD_TIME, "-infinity": BAD_TIME, "290309-12-22 (BC) 00:00:00": BAD_TIME},
        sources=STRUCTURED),
    "date": Case("date", {"2024-07-01": "2024-06-30T22:00:00.000Z"}),
    "timestamptz": Case("timestamptz", {"2024-07-01 12:00:00+00": "2024-07-01T12:00:00.000Z"}),
    "timestamp_ns": Case("timestamp_ns", {"2024-07-01 12:00:00": "2024-07-01T10:00:00.000Z"}),
    "time_text": Case("text", {
        "2024-07-01 12:00:00": "2024-07-01T10:00:00.000Z",
        "2024-07-01": "2024-06-30T22:00:00.000Z",
        "2024-07-01T12:00:00Z": "2024-07-01T12:00:00.000Z",
        "2024-07-01 12:00:00 UTC": "2024-07-01T12:00:00.000Z",
        "2024-07-01 12:00:00 +0000": "2024-07-01T12:00:00.000Z",
        "1704164645": "2024-01-02T03:04:05.000Z"}, type="time"),
    "unix": Case("int64", {"1704164645": "2024-01-02T03:04:05.000Z"}, type="time"),
    "struct_lists": Case("struct_lists", {
        '{"xs": [{"at": "2024-07-01 12:00:00"}], "days": [["2024-07-01"]]}':
            {"xs": [{"at": "2024-07-01T10:00:00.000Z"}], "days": [["2024-06-30T22:00:00.000Z"]]}}),
}  # fmt: skip
"""The same over a source that says `timezone: Europe/Berlin`."""
