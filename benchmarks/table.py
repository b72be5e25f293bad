"""Put the last figures into docs/performance.md: `python -m benchmarks.table`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
HEAD = "| | work | against | ours | theirs | ratio | budget | |\n|---|---|---|---|---|---|---|---|"


def main(results: Path) -> None:
    """Replace what stands between the two marks of the page."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"{PAGE} has no marks"
    PAGE.write_text(f"{before}{BEGIN}{table(json.loads(results.read_text()))}{END}{after}")


def table(document: dict[str, Any]) -> str:
    """The rows as Markdown, and under them the machine."""
    machine = document["machine"]
    load = " to ".join(f"{machine[when][0]:.1f}" for when in ("load_before", "load_after"))
    return "\n".join(
        [
            HEAD,
            *(_line(row) for row in document["rows"]),
            "",
            f"{machine['cores']} cores, Python {machine['python']}, DuckDB {machine['duckdb']}, "
            f"medians of {document['size']['rounds']}, load average {load}, "
            f"{machine['seconds'] / 60:.0f} minutes.",
            "",
        ]
    )


def _line(row: dict[str, Any]) -> str:
    if "why" in row:
        return f"| {row['name']} | {row['work']} | | | | | | {row['why']} |"
    verdict = row["note"] if row["passed"] else f"**under budget** {row['note']}"
    ours, theirs = (f"{_figure(row[side])} {row['unit']}" for side in ("ours", "theirs"))
    return (
        f"| {row['name']} | {row['work']} | {row['baseline']} | {ours} | {theirs} "
        f"| {row['ratio']:.2f} | {row['budget']} | {verdict} |"
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results.json")
