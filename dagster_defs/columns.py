"""Columns and their lineage, from the mapping alone: nothing is asked of the source."""

import json

import dagster as dg

from connector.mapping.lineage import columns_read, sent_fields
from connector.mapping.mapping import Constant, Field, Mapping, Pii
from connector.mapping.rules import EVENT_FIELDS, USER_FIELDS, FieldType, Kind

INFERRED = "inferred"
"""The type of a field that follows its column, which is only known once the source is read."""


def column_schema(mapping: Mapping, types: dict[str, str] | None = None) -> dg.TableSchema:
    """The fields that are sent, each with its type on the platform; `types` are those of fields
    that were found when the source was read."""
    columns: dict[str, dg.TableColumn] = {}
    for name, field in sent_fields(mapping):
        type_ = (types or {}).get(name) or _type(mapping, field)
        columns.setdefault(name, dg.TableColumn(name, type_, description=_description(field)))
    return dg.TableSchema(list(columns.values()))


def column_lineage(mapping: Mapping, upstream: dg.AssetKey) -> dg.TableColumnLineage:
    """Of each field, the columns of `upstream` that its expressions read."""
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(asset_key=upstream, column_name=each) for each in columns]
            for name, columns in columns_read(mapping).items()
            if columns
        }
    )


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
