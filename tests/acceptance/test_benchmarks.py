"""The benchmarks run to the end; of speed a test says nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rows import ROWS
from benchmarks.table import table


@pytest.mark.timeout(900)  # some thirty processes, one after the other
def test_every_row_of_a_small_run_without_peers_has_figures_or_says_why_not(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--small", "--no-peers", "--out", str(results)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr

    document = json.loads(results.read_text())
    rows = document["rows"]
    assert {row["name"] for row in rows} == {*ROWS, "P2"}  # P1 measures both
    left_out = {row["name"] for row in rows if "why" in row}
    assert left_out == {"P4", "P6"} | (set() if shutil.which("wrk") else {"P5"})
    figures = [row for row in rows if "why" not in row]
    assert {row["name"] for row in figures} == {*ROWS, "P2"} - {"P4"}
    assert all(row["ours"] > 0 and row["theirs"] > 0 and row["ratio"] > 0 for row in figures)
    assert table(document).count("\n| P") == len(rows)
