"""`make bench`: every row in turn, a table, and `results.json` beside this file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from dataclasses import asdict
from pathlib import Path

import duckdb

from benchmarks.measure import Result, Skipped
from benchmarks.rows import ROWS, SMALL, Size


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--small", action="store_true", help="to see that it works")
    parser.add_argument("--only", default="", help="rows, by comma: P1,P3")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results.json")
    given = parser.parse_args()
    size = SMALL if given.small else Size()
    wanted = given.only.split(",") if given.only else list(ROWS)
    found: list[Result | Skipped] = []
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder:
        for name in wanted:
            for result in ROWS[name](size, Path(folder) / name):
                found.append(result)
                print(line(result), flush=True)
    document = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(),
                    "duckdb": duckdb.__version__},
        "size": asdict(size),
        "rows": [asdict(result) for result in found],
    }  # fmt: skip
    given.out.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\n{given.out}")


def line(result: Result | Skipped) -> str:
    """A row of the table."""
    if isinstance(result, Skipped):
        return f"{result.name:4} {result.work}: skipped, {result.why}"
    verdict = "ok  " if result.passed else "OVER"
    note = f"  ({result.note})" if result.note else ""
    return (
        f"{result.name:4} {verdict} {result.ratio:8.2f}  budget {result.budget:18} {result.work}: "
        f"{result.ours:,.3g} {result.unit}, against {result.theirs:,.3g} ({result.baseline}){note}"
    )


if __name__ == "__main__":
    main()
