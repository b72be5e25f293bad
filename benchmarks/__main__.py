"""`make bench`: every row in turn, a table, and `results.json` beside this file.

The file is written after each row, so a run that is broken off leaves what it has measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import duckdb

from benchmarks.measure import SMALL, FailedError, Result, Size, Skipped
from benchmarks.rows import ROWS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--small", action="store_true", help="to see that it works")
    parser.add_argument("--only", default="", help="rows, by comma: P1,P3")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results.json")
    parser.add_argument("--no-peers", action="store_true", help="install and run no peer")
    parser.add_argument("--growth", help="users that P11 compares, by comma: 1000000,3000000")
    given = parser.parse_args()
    size = SMALL if given.small else Size()
    if given.no_peers:
        size = replace(size, peers=0)
    if given.growth:
        size = replace(size, growth=tuple(map(int, given.growth.split(","))))
    wanted = given.only.split(",") if given.only else list(ROWS)
    if unknown := [name for name in wanted if name not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}: there are {', '.join(ROWS)} (P2 is in P1)")
    if given.small:
        print("a small run: it shows that every row works, its ratios say nothing")
    found: list[Result | Skipped] = []
    before, began = os.getloadavg(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder:
        for name in wanted:
            results = measured(name, size, Path(folder) / name)
            for result in results:
                print(line(result), flush=True)
            found += results
            shutil.rmtree(Path(folder) / name, ignore_errors=True)
            machine = {
                "cores": os.cpu_count(),
                "python": platform.python_version(),
                "duckdb": duckdb.__version__,
                "load_before": before,
                "load_after": os.getloadavg(),
                "seconds": round(time.monotonic() - began),
            }
            document = {"machine": machine, "size": asdict(size), "rows": list(map(asdict, found))}
            given.out.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\n{given.out}")
    if any(isinstance(result, Skipped) and result.failed for result in found):
        sys.exit(1)


def measured(name: str, size: Size, folder: Path) -> list[Result | Skipped]:
    """A row of the table; one that fails does not take the others with it."""
    try:
        return ROWS[name](size, folder)
    except FailedError as error:
        return [Skipped(name, "measuring", str(error), failed=True)]


def line(result: Result | Skipped) -> str:
    """A row of the table."""
    if isinstance(result, Skipped):
        what = "FAILED" if result.failed else "skipped"
        return f"{result.name:4} {what:7} {result.work}: {result.why}"
    verdict = "ok  " if result.passed else "OVER"
    note = f"  ({result.note})" if result.note else ""
    return (
        f"{result.name:4} {verdict} {result.ratio:8.2f}  budget {result.budget:18} {result.work}: "
        f"{result.ours:,.3g} {result.unit}, against {result.theirs:,.3g} ({result.baseline}){note}"
    )


if __name__ == "__main__":
    main()
