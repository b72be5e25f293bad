"""`connector status`: how the mappings of a target fare."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from connector.cli.options import Command, json_option, selection
from connector.cli.settings import Settings
from connector.cli.summed import summed
from connector.cli.sync import tinted
from connector.cli.words import ago, bold, counted, echo_json, moment, one_line, table

if TYPE_CHECKING:
    from connector.control.lease import Holder
    from connector.control.store import ControlStore
    from connector.mapping.mapping import Mapping
    from connector.project import Project


@click.command(
    "status", cls=Command, short_help="Show runs, rows, and what is pending or rejected."
)
@selection
@json_option
@click.pass_obj
def status(
    settings: Settings, *, select: tuple[str, ...], exclude: tuple[str, ...], as_json: bool
) -> None:
    """Show runs, rows, what is pending, rejected and suppressed; a running sync goes on."""
    project = settings.load()
    mappings = project.select(select, exclude)
    target = settings.target_name(project)
    entries, suppressed = _look(project, target, mappings)
    if as_json:
        document = {"schema_version": 1, "command": "status", "target": target, "exit_code": 0}
        echo_json(document | {"suppressed": suppressed, "mappings": entries})
        return
    for line in _lines(target, entries, suppressed):
        click.echo(line)


def _look(
    project: Project, target: str, mappings: Sequence[Mapping]
) -> tuple[list[dict[str, Any]], int]:
    """What the control store knows; nothing is made where there is none yet."""
    folder = project.state_path / target
    if project.control_url is None and not (folder / "control.db").is_file():
        return [_entry(mapping, None, None, None) for mapping in mappings], 0
    from connector.control.lease import holders
    from connector.control.store import ControlStore

    store = ControlStore(folder, target, project.control_url)
    try:
        return _entries(store, mappings, holders(store)), store.suppressed_count()
    finally:
        store.close()


def _entries(
    store: ControlStore, mappings: Sequence[Mapping], holding: dict[str, Holder]
) -> list[dict[str, Any]]:
    from connector.control.history import ended_runs
    from connector.shards import state_names

    runs, successes, ended = store.last_runs(), store.last_success(), ended_runs(store)

    def entry_of(mapping: Mapping, name: str) -> dict[str, Any]:
        latest, run, holder = runs.get(name), ended.get(name), holding.get(name)
        entry = _entry(mapping, run, successes.get(name), holder) | {"name": name}
        died = latest is not None and latest["finished_at"] is None and holder is None
        entry["interrupted"] = moment(latest["started_at"]) if latest and died else None
        return entry

    entries = []
    for mapping in mappings:
        each = [entry_of(mapping, name) for name in state_names(store, mapping.name)]
        cut = len(each) > 1
        entries.append(summed(mapping.name, str(mapping.kind), each) if cut else each[0])
    return entries


def _entry(
    mapping: Mapping, run: dict[str, Any] | None, success: Any, holder: Holder | None
) -> dict[str, Any]:
    return {
        "name": mapping.name,
        "kind": str(mapping.kind),
        "running": holder and {
            "process": holder.process,
            "host": holder.host,
            "since": moment(holder.since),
        },
        "interrupted": None,
        "last_run": run and {
            "run_id": run["run_id"],
            "command": run["command"],
            "started_at": run["started_at"],
            "finished_at": run["finished_at"],
            "status": run["status"],
            "seconds": run["seconds"],
            "rows": run["report"].get("rows"),
            "changes": run["report"].get("changes"),
            "recommendations": run["report"].get("recommendations"),
            "pending": run["pending"],
            "rejected": run["rejected"],
            "error": run["error"],
            "hint": run["report"].get("hint"),
        },
        "last_success": success,
        "freshness": _freshness(run["report"].get("freshness")) if run else None,
    }  # fmt: skip


def _freshness(measured: dict[str, Any] | None) -> dict[str, Any] | None:
    """As the last run left it, but for how far behind that is by now."""
    if not measured or not measured["watermark"]:
        return measured
    behind = datetime.now(UTC) - datetime.fromisoformat(measured["watermark"])
    return measured | {"behind_seconds": round(behind.total_seconds(), 3)}


def _lines(target: str, entries: list[dict[str, Any]], suppressed: int) -> list[str]:
    if all(_state(entry) == "never run" for entry in entries):
        return [f"Nothing was synced to target {target!r} yet; `connector plan` shows what would."]
    header = [
        "mapping",
        "status",
        "last run",
        "last success",
        "newest event",
        "read",
        "sent",
        "pending",
        "rejected",
    ]
    entries = [line for entry in entries for line in (entry, *entry.get("shards", ()))]
    head, *lines = table(header, [_row(entry) for entry in entries], left=4)
    lines = [
        line.replace(f"  {_state(entry)}", f"  {tinted(_state(entry))}", 1)
        for line, entry in zip(lines, entries, strict=True)
    ]
    lines = [bold(head), *lines]
    for entry in entries:
        if "shards" in entry:
            continue
        error = entry["last_run"] and entry["last_run"]["error"]
        if error:
            lines.append(f"{entry['name']}: {one_line(error)}")
        if entry["interrupted"]:
            lines.append(f"{entry['name']}: the run of {entry['interrupted']} did not end; "
                         "the next sync takes up where it was")  # fmt: skip
    return [*lines, "", f"{counted(suppressed, 'user')} suppressed at target {target!r}"]


def _state(entry: dict[str, Any]) -> str:
    if entry["running"]:
        return "running"
    if entry["interrupted"]:
        return "interrupted"
    run = entry["last_run"]
    return str(run["status"]) if run else "never run"


def _row(entry: dict[str, Any]) -> list[Any]:
    run = entry["last_run"]
    when = ago(run["started_at"]) if run else None
    success = ago(entry["last_success"]) if entry["last_success"] else None
    name = (
        f"{entry['name']} ({len(entry['shards'])} shards)" if "shards" in entry else entry["name"]
    )
    head = [name, _state(entry), when, success, _newest(entry["freshness"])]
    if run is None:
        return [*head, None, None, None, None]
    rows, changes = run["rows"] or {}, run["changes"] or {}
    sent = sum(each["acknowledged"] for each in changes.values())
    sent += (run["recommendations"] or {}).get("answered", 0)
    return [*head, rows.get("source"), sent, run["pending"], run["rejected"]]


def _newest(freshness: dict[str, Any] | None) -> str | None:
    if not freshness or not freshness["watermark"]:
        return None
    return ago(datetime.fromisoformat(freshness["watermark"]).replace(tzinfo=None))
