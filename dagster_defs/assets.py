"""One asset for each mapping: what Dagster shows of it before anything has run."""

import hashlib
import json
import re
import warnings
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

import dagster as dg

from connector.errors import Place
from connector.mapping.mapping import Mapping
from connector.sql import table_parts
from dagster_defs import names
from dagster_defs.columns import column_lineage, column_schema

_NOT_SENT = {"schedule", "tags", "description", "owners", "coverage", "max_reject_percent"}
"""What a mapping says that changes nothing of what is sent."""


LINEAGE = "dagster/column_lineage"
SCHEMA = "dagster/column_schema"


def asset_spec(mapping: Mapping, *, prefix: str, target: str) -> dg.AssetSpec:
    """The asset of a mapping, key `[prefix, mapping]`, as it is before any translation.

    A mapping without a schedule is synced when its upstream asset is materialized.
    """
    upstream = upstream_key(mapping)
    automation = None if mapping.schedule else dg.AutomationCondition.eager()
    return dg.AssetSpec(
        key=names.key(prefix, mapping.name),
        deps=[] if upstream is None else [upstream],
        description=mapping.description or _description(mapping, target),
        group_name=prefix,
        kinds={"sequen", str(mapping.kind)},
        owners=[names.owner(owner) for owner in mapping.owners],
        tags={names.tag(tag): "" for tag in mapping.tags},
        code_version=code_version(mapping),
        automation_condition=automation,
        metadata={
            "mapping": mapping.name,
            "target": target,
            SCHEMA: column_schema(mapping),
            "dagster/code_references": _code_reference(mapping.place),
        },
    )


def _code_reference(place: Place) -> dg.CodeReferencesMetadataValue:
    with warnings.catch_warnings(action="ignore", category=dg.BetaWarning):
        reference = dg.LocalFileCodeReference(
            file_path=str(place.file.absolute()), line_number=place.line, label=place.file.name
        )
        return dg.CodeReferencesMetadataValue(code_references=[reference])


def with_lineage(spec: dg.AssetSpec, mapping: Mapping) -> dg.AssetSpec:
    """The asset with its column lineage, which follows the dependency that it ended up with."""
    deps = list(spec.deps)
    if mapping.table is None or len(deps) != 1 or LINEAGE in spec.metadata:
        return spec
    lineage = column_lineage(mapping, deps[0].asset_key)
    return spec.merge_attributes(metadata={LINEAGE: lineage})


def table_metadata(spec: dg.AssetSpec, mapping: Mapping, types: dict[str, str]) -> dict[str, Any]:
    """What the UI looks for in the latest materialization: lineage, which it does not find in the
    definition, and columns with the types that their source has, unless they were translated."""
    found = {LINEAGE: spec.metadata[LINEAGE]} if LINEAGE in spec.metadata else {}
    if types and spec.metadata.get(SCHEMA) == column_schema(mapping):
        found[SCHEMA] = column_schema(mapping, types)
    return found


def table_specs(specs: Iterable[dg.AssetSpec]) -> list[dg.AssetSpec]:
    """What the assets of mappings depend on, as assets that something else looks after."""
    own = {spec.key for spec in specs}
    upstream = {dep.asset_key for spec in specs for dep in spec.deps}
    return [dg.AssetSpec(key, kinds={"table"}) for key in sorted(upstream - own)]


def upstream_key(mapping: Mapping) -> dg.AssetKey | None:
    """The asset key of the table that a mapping reads: `analytics.dim_users` is
    `analytics/dim_users`. None for a query, which may read anything, and for a glob of files."""
    if mapping.table is None or re.search(r"[*?\[]", mapping.table):
        return None
    try:
        return names.key(*table_parts(mapping.table))
    except ValueError:
        return names.key(*mapping.table.split("/"))


def code_version(mapping: Mapping) -> str:
    """A hash of everything in a mapping that decides what is sent; where it stands is no part."""
    said = {name: value for name, value in _plain(mapping).items() if name not in _NOT_SENT}
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        items = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: _plain(item) for name, item in items if not isinstance(item, Place)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _description(mapping: Mapping, target: str) -> str:
    read = f"`{mapping.table}`" if mapping.table else "a query"
    return f"{str(mapping.kind).capitalize()} of {read}, for {target!r}."
