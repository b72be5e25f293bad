"""The status of a mapping that is cut into shards: all of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_WORST = ("failed", "blocked", "incomplete", "locked", "running", "done")


def summed(name: str, kind: str, shards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows of all shards together; what is true of one that lags is said of the mapping.

    It succeeded last when the last of its shards did; with one that never did, it never did.
    """
    runs = [each["last_run"] for each in shards if each["last_run"]]
    successes = [each["last_success"] for each in shards]
    lagging = [each["freshness"] for each in shards if each["freshness"]]
    return {
        "name": name,
        "kind": kind,
        "running": _first(shards, "running"),
        "interrupted": _first(shards, "interrupted"),
        "last_run": _run(runs) if runs else None,
        "last_success": None if None in successes else min(successes),
        "freshness": max(lagging, key=lambda each: each["behind_seconds"] or 0.0, default=None),
        "shards": list(shards),
    }


def _first(shards: Sequence[dict[str, Any]], what: str) -> Any:
    return next((each[what] for each in shards if each[what]), None)


def _run(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The last runs of several shards as one; its number is that of the latest to end."""
    worst = min(runs, key=lambda run: _rank(run["status"]))
    latest = max(runs, key=lambda run: run["finished_at"])
    return {
        "run_id": latest["run_id"],
        "command": latest["command"],
        "started_at": min(run["started_at"] for run in runs),
        "finished_at": latest["finished_at"],
        "status": worst["status"],
        "seconds": max(run["seconds"] for run in runs),
        "rows": _added([run["rows"] or {} for run in runs], sum),
        "changes": _added([run["changes"] or {} for run in runs], lambda of: _added(of, sum)),
        "recommendations": None,
        "pending": sum(run["pending"] for run in runs),
        "rejected": sum(run["rejected"] for run in runs),
        "error": worst["error"],
    }


def _rank(status: str) -> int:
    return _WORST.index(status) if status in _WORST else 0


def _added(of: Sequence[dict[str, Any]], add: Callable[[list[Any]], Any]) -> dict[str, Any]:
    names = dict.fromkeys(name for each in of for name in each)
    return {name: add([each[name] for each in of if name in each]) for name in names}
