"""drt: `drt run` from a DuckDB profile to its REST destination, events in batches of 1,000."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.rows import select

BATCHES = {
    "body_mode": "batch",
    "batch_template": '{"events": {{ rows | tojson_safe }}}',
    "max_records_per_request": 1000,
}


def main(port: str, kind: str, rows: int) -> None:
    """Run the sync once, in a project of its own, without drt's limit of ten requests a second."""
    project = Path("drt")
    database = str(Path("w.duckdb").resolve())
    destination = {"type": "rest_api", "url": f"http://127.0.0.1:{port}/v1/{kind}"}
    sync = {
        "name": "rows",
        "model": select(kind, rows),
        "destination": destination | (BATCHES if kind == "events" else {}),
        "sync": {"batch_size": 1000, "rate_limit": {"requests_per_second": 0}},
    }
    _write(Path.home() / ".drt/profiles.yml", {"local": {"type": "duckdb", "database": database}})
    _write(project / "drt_project.yml", {"name": "bench", "version": "0.1", "profile": "local"})
    _write(project / "syncs/rows.yml", sync)
    command = [str(Path(sys.executable).with_name("drt")), "run", "--output", "json"]
    output = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, check=True).stdout
    report = json.loads(output)["syncs"][0]
    assert report["rows_synced"] == rows, report
    print(rows / report["duration_seconds"])


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))  # which is YAML too


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
