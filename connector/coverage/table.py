"""The report as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io

from connector.coverage.report import CoverageReport

_HEADER = (
    "mapping", "kind", "table", "attribute", "tier", "field", "event_type", "rows", "filled",
    "fill", "status", "suggestion",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(report: CoverageReport) -> str:
    """One line for every attribute of every mapping; lines end as RFC 4180 says."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_HEADER)
    for entry in report.to_json()["mappings"]:
        for line in (*entry["attributes"], *entry["recommended"]):
            cells = (
                entry["name"], entry["kind"], entry["table"], line["attribute"], line["tier"],
                line["field"], line["event_type"], line["of"], line["filled"], line["fill"],
                line["status"], line["suggestion"],
            )  # fmt: skip
            writer.writerow([safe_cell(cell) for cell in cells])
    return out.getvalue()


def safe_cell(value: str | float | None) -> str | float:
    """A cell that no spreadsheet takes for a formula: such a text gets a leading apostrophe."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
