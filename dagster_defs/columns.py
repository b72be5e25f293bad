"""Columns and their lineage, from the mapping alone: nothing is asked of the source."""

import json
from collections.abc import Iterator

import dagster as dg
import duckdb

from connector.mapping.expression import ExpressionError, Parser
from connector.mapping.mapping import Constant, Field, Mapping, Pii
from connector.mapping.rules import EVENT_FIELDS, USER_FIELDS, FieldType, Kind

INFERRED = "inferred"
"""The type of a field that follows its column, which is only known once the source is read."""


class Columns:
    """What mappings send and which columns it comes from. Parses expressions, runs none."""

    def __init__(self) -> None:
        self._parser = Parser(duckdb.connect(config={"threads": 1}))

    def schema(self, mapping: Mapping) -> dg.TableSchema:
        """The fields that are sent, each with its type on the platform."""
        columns: dict[str, dg.TableColumn] = {}
        for name, field in _sent(mapping):
            type_ = _type(mapping, field)
            columns.setdefault(name, dg.TableColumn(name, type_, description=_description(field)))
        return dg.TableSchema(list(columns.values()))

    def lineage(self, mapping: Mapping, upstream: dg.AssetKey) -> dg.TableColumnLineage:
        """Of each field, the columns of `upstream` that its expression reads."""
        deps: dict[str, list[dg.TableColumnDep]] = {}
        for name, field in _sent(mapping):
            found = deps.setdefault(name, [])
            for column in self._read_by(field):
                dep = dg.TableColumnDep(asset_key=upstream, column_name=column)
                if dep not in found:
                    found.append(dep)
        return dg.TableColumnLineage({name: found for name, found in deps.items() if found})

    def _read_by(self, field: Field) -> Iterator[str]:
        if isinstance(field.value, Constant):
            return
        try:
            parsed = self._parser.parse(field.value.sql)
        except ExpressionError:
            # A column of any name may stand for itself; what is no expression either is said by
            # the sync, with its place, once the columns are known.
            yield field.value.sql.strip()
            return
        for use in parsed.columns:
            yield use.name


def _sent(mapping: Mapping) -> Iterator[tuple[str, Field]]:
    if mapping.event_type is not None:
        yield "type", Field("type", mapping.event_type, mapping.event_type.place)
    for field in mapping.fields:
        yield field.name, field
    for event_type in mapping.types:
        for field in event_type.fields:
            yield field.name, field


def _type(mapping: Mapping, field: Field) -> str:
    reserved = USER_FIELDS if mapping.kind is Kind.USERS else EVENT_FIELDS
    known = FieldType.STRING if field.pii in {Pii.HASH, Pii.REDACT} else None
    known = known or field.type or reserved.get(field.name)
    if known is None and isinstance(field.value, Constant):
        known = _constant_type(field.value)
    return str(known) if known else INFERRED


def _constant_type(constant: Constant) -> FieldType:
    match constant.value:
        case bool():
            return FieldType.BOOLEAN
        case str():
            return FieldType.STRING
        case tuple():
            return FieldType.STRINGS
        case _:
            return FieldType.NUMBER


def _description(field: Field) -> str:
    """Where a field comes from, as Markdown."""
    value = field.value
    if isinstance(value, Constant):
        said = f"always `{json.dumps(value.value)}`"
    else:
        said = f"`{' '.join(value.sql.split())}`"
    masked = {Pii.HASH: "hashed: ", Pii.REDACT: "redacted: "}
    return masked.get(field.pii, "") + said if field.pii else said
