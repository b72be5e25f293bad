"""The same awkward values in, the same payloads out, whatever the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.conformance.cases import BERLIN, CASES, Case, Rejected
from tests.conformance.warehouses import WAREHOUSES
from tests.support.project_folder import ProjectFolder, project_file
from tests.support.scanned import Scanned, exactly, scan

Results = Mapping[str, Scanned]


def _held(name: str, cases: Mapping[str, Case]) -> dict[str, Case]:
    return {
        each: case
        for each, case in cases.items()
        if case.kind in WAREHOUSES[name].types and (case.sources is None or name in case.sources)
    }


def _everything(folder: Path, name: str, cases: Mapping[str, Case], settings: str) -> Results:
    """One table with a column for each case, and a row for each value, which is null elsewhere."""
    warehouse = WAREHOUSES[name]
    rows: list[dict[str, str | None]] = [
        {"key": f"{each}:{number}", each: value}
        for each, case in cases.items()
        for number, value in enumerate(case.values)
    ]
    columns = {"key": "text"} | {each: case.kind for each, case in cases.items()}
    warehouse.fill(folder, "awkward", columns, rows)
    project = ProjectFolder(folder, project_file(warehouse.source(folder) + settings))
    fields = {
        "id": {"expr": "key"},
        "sid": {"value": "s"},
        "original_timestamp": {"value": "2024-01-01T00:00:00Z"},
    }
    for each, case in cases.items():
        fields[each] = {"expr": f'"{each}"'} | ({"type": case.type} if case.type else {})
    mapping = "kind: events\nsource: w\ntype: test\n" + warehouse.reads("awkward")
    project.write("awkward.yaml", f"{mapping}\nfields: {json.dumps(fields)}\n")
    return {row.key: row for row in scan(project.load(), "awkward", folder / "state") if row.key}


def _pairs(cases: Mapping[str, Case]) -> list[tuple[str, str]]:
    return [(source, name) for source in WAREHOUSES for name in _held(source, cases)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Results]:
    """The rows of a source, read once; by its name and further settings."""

    @cache
    def of(source: str, settings: str) -> Results:
        cases = BERLIN if settings else CASES
        return _everything(tmp_path_factory.mktemp(source), source, _held(source, cases), settings)

    return of


@pytest.mark.parametrize(("source", "name"), _pairs(CASES))
def test_a_value_arrives_right_or_is_refused_by_its_field(
    source: str, name: str, results: Callable[[str, str], Results]
) -> None:
    _check(CASES[name], name, results(source, ""))


@pytest.mark.parametrize(("source", "name"), _pairs(BERLIN))
def test_times_without_a_zone_are_local_times_of_their_source(
    source: str, name: str, results: Callable[[str, str], Results]
) -> None:
    _check(BERLIN[name], name, results(source, ", timezone: Europe/Berlin"))


def _check(case: Case, name: str, results: Results) -> None:
    wrong = []
    for number, (value, expected) in enumerate(case.values.items()):
        row = results[f"{name}:{number}"]
        if isinstance(expected, Rejected):
            right = (row.code, row.field) == (expected.code, name)
        else:
            others = {"id": row.key, "type": "test", "sid": "s"}
            sent = {} if expected is None else {name: expected}
            payload = others | {"original_timestamp": "2024-01-01T00:00:00.000Z"} | sent
            right = exactly(row.payload) == exactly(payload)
        if not right:
            wrong.append((str(value)[:60], expected if len(str(expected)) < 200 else "…", row))
    assert not wrong
