"""What a mapping makes of every row of its source: the road up to the comparison, nothing sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.control.store import ControlStore
from connector.prepare import bind, compare
from connector.project import Project
from connector.snapshot.store import StatePaths, open_store


@dataclass(frozen=True, slots=True)
class Scanned:
    """One row of a source. `payload` is parsed, and absent where the row may not be sent."""

    key: str | None
    fingerprint: int
    verdict: int
    payload: dict[str, Any] | None
    code: str | None = None
    field: str | None = None


def scan(project: Project, mapping: str, state: Path) -> list[Scanned]:
    """Bind a mapping, read its source and compile every row, in the order of the source."""
    control = ControlStore(state, "sandbox")
    try:
        with (
            bind(project, project.mapping(mapping)) as bound,
            open_store(StatePaths(state, mapping), keep=False, origin=bound.origin_file) as store,
        ):
            compared = compare(project, bound, store, control)
            chain = compared.chain
            rows = store.fetch(
                "SELECT s.key, s.fingerprint, s.verdict, s.violation, p.payload FROM scanned AS s "  # noqa: S608 - ours
                f"JOIN ({chain.payloads('true')}) AS p ON p.row = s.row ORDER BY s.row",
                compared.parameters or None,
            )
            violations = chain.violations
    finally:
        control.close()
    return [
        Scanned(key, fingerprint, verdict, parse(payload))
        if number is None
        else Scanned(
            key,
            fingerprint,
            verdict,
            None,
            violations[number - 1].code,
            violations[number - 1].field,
        )
        for key, fingerprint, verdict, number, payload in rows
    ]


def parse(payload: str) -> dict[str, Any]:
    """JSON as the standard has it: no NaN, no infinity, no name twice."""
    document = json.loads(payload, parse_constant=_refuse, object_pairs_hook=_once)
    assert isinstance(document, dict)
    return document


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs), f"a name twice in {pairs}"
    return dict(pairs)


def exactly(value: Any) -> Any:
    """A value as something to compare by: 1, 1.0 and true are three things."""
    if isinstance(value, dict):
        return {name: exactly(each) for name, each in value.items()}
    if isinstance(value, list):
        return [exactly(each) for each in value]
    return type(value).__name__, value
