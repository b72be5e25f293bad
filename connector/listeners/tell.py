"""Telling everybody who wants to know, once a run is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec

from connector.control.store import ControlStore
from connector.destination.target import Target
from connector.errors import ConnectorError
from connector.listeners.ended import Ended, ended_in
from connector.project import Project

Listener = Callable[[list[Ended]], None]


def tell(project: Project, target: Target, control: ControlStore, run_id: str) -> list[str]:
    """Tell the listeners of a project how the mappings of a run fared.

    Returns what went wrong with that, a warning each: what was delivered was delivered, whoever
    could not be told.
    """
    warnings: list[str] = []

    def guarded(name: str, tell_it: Callable[[], None]) -> None:
        try:
            tell_it()
        except ConnectorError as error:
            warnings.append(f"{name}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has happened
            warnings.append(f"{name}: {type(error).__name__}, unforeseen")

    def everybody() -> None:
        listeners = list(_listeners(project, target, control))
        ended = ended_in(control, run_id) if listeners else []
        for name, listener in listeners if ended else ():
            guarded(name, lambda listener=listener: listener(ended))  # type: ignore[misc]

    guarded("listeners", everybody)
    return warnings


def _listeners(
    project: Project, target: Target, control: ControlStore
) -> Iterator[tuple[str, Listener]]:
    if project.has("sync_log"):
        from connector.listeners.synclog import log_to_warehouse

        yield "sync log", lambda ended: log_to_warehouse(project, control, ended)
    if project.has("alerts"):
        from connector.listeners.alerts import alert

        yield "alerts", lambda ended: alert(project, target, control, ended)
    if find_spec("opentelemetry") is not None:
        from connector.listeners.telemetry import report

        yield "telemetry", report
