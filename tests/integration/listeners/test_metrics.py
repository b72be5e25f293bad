"""Metrics: a Prometheus text file, and OpenTelemetry where it is installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.road import Road

_LINE = re.compile(r'([a-z_]+)\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)+)\} (-?[0-9.]+)')


def metrics(file: Path) -> dict[tuple[str, str], float]:
    """Values by name and labels; every line is one that a scraper reads."""
    found = {}
    for line in file.read_text().splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP|TYPE) [a-z_]+ .+", line)
            continue
        match = _LINE.fullmatch(line)
        assert match, line
        found[match[1], match[2]] = float(match[3])
    return found


def test_the_file_holds_the_last_run_of_every_mapping(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connector.cli.main import run

    monkeypatch.chdir(road.folder)
    file = road.folder / "connector.prom"
    assert run(["sync", "--metrics-file", str(file)]) == 0
    road.write("update users set user_id = '..' where orders = 3")
    assert run(["sync", "--select", "users", "--metrics-file", str(file)]) == 3
    found = metrics(file)
    users, clicks = 'mapping="users",target="far"', 'mapping="clicks",target="far"'
    assert found["connector_last_run_success", users] == 0
    assert found["connector_last_run_success", clicks] == 1
    assert found["connector_rows_rejected", users] == 1
    assert found["connector_rows_source", clicks] == 30
    event = f'{clicks},operation="event",outcome="acknowledged"'
    assert found["connector_changes", event] == 30
    assert found["connector_last_success_timestamp_seconds", users] > 1.7e9
    assert [path.name for path in road.folder.glob(".connector.prom*")] == []


@pytest.mark.parametrize("folder", ["nowhere", "mappings/users.yaml"])
def test_a_file_that_cannot_be_written_is_a_warning(
    folder: str, road: Road, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from connector.cli.main import run

    monkeypatch.chdir(road.folder)
    assert run(["sync", "--json", "--metrics-file", f"{folder}/connector.prom"]) == 0
    out, err = capsys.readouterr()
    assert f"{folder}/connector.prom cannot be written" in json.loads(out)["warnings"][0]
    assert "warning: metrics:" in err


_TRACED = """
import json, sys
from pathlib import Path
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
from connector.project import load_project
from connector.sync import sync
project = load_project(Path("mappings"))
report = sync(project, project.select(), target=project.target())
counted = {
    (metric.name, *sorted(point.attributes.items()))
    : getattr(point, "value", getattr(point, "count", None))
    for resource in reader.get_metrics_data().resource_metrics
    for scope in resource.scope_metrics
    for metric in scope.metrics
    for point in metric.data.data_points
}
print(json.dumps({
    "warnings": report.warnings,
    "spans": [
        {"name": span.name, "status": span.status.status_code.name,
         "parent": span.parent and span.parent.span_id, "id": span.context.span_id,
         "lasts": span.end_time - span.start_time, "attributes": dict(span.attributes)}
        for span in spans.get_finished_spans()
    ],
    "metrics": [[list(key), value] for key, value in counted.items()],
}))
"""


def test_telemetry_has_a_span_for_each_mapping_within_that_of_the_run(road: Road) -> None:
    pytest.importorskip("opentelemetry.sdk")
    road.map("clicks", "kind: events\nsource: warehouse\ntable: none\ntype: a\n"
             "fields: {uid: a, original_timestamp: b}\n")  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", _TRACED],
        cwd=road.folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["warnings"] == []
    spans = {span["name"]: span for span in said["spans"]}
    assert set(spans) == {"connector sync", "sync users", "sync clicks"}
    assert spans["sync users"]["parent"] == spans["connector sync"]["id"]
    assert spans["sync users"]["attributes"]["connector.rows.acknowledged"] == 20
    assert [spans[name]["status"] for name in ("sync users", "sync clicks", "connector sync")] == [
        "UNSET", "ERROR", "ERROR",
    ]  # fmt: skip
    assert all(span["lasts"] >= 0 for span in spans.values())
    acknowledged = [
        value
        for (name, *attributes), value in said["metrics"]
        if name == "connector.rows" and ["outcome", "acknowledged"] in attributes
    ]
    assert acknowledged == [20]
