"""Alerts: a POST to a webhook when a run fails, stays incomplete, is blocked, rejects too much, or
is well again.

The payload is JSON: `text` in words, as chat rooms read it, and all else as data; or the project's
own template. It holds no keys and no values of rows, and secrets are covered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from pyreqwest.client import SyncClientBuilder
from pyreqwest.exceptions import PyreqwestError

from connector import __version__
from connector.control.store import ControlStore
from connector.destination.target import Target
from connector.errors import ConnectorError, DestinationError
from connector.listeners.ended import Ended, before
from connector.listeners.settings import Alert, Event
from connector.project import Project
from connector.scrub import scrub, secrets_in

_LOOKED_BACK = 500
"""How many runs are looked at to see since when something is wrong."""

_SAID = {
    Event.FAILED: "failed",
    Event.INCOMPLETE: "is incomplete",
    Event.BLOCKED: "was stopped by a guard",
    Event.REJECTS: "rejected too many rows",
    Event.RECOVERED: "is well again",
}
_NEXT = {
    Event.INCOMPLETE: "the next sync sends what is pending",
    Event.BLOCKED: "`connector plan` shows what it would do",
    Event.REJECTS: "`connector rejects` shows why",
}


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of one mapping. `since` is how long it has gone on, zero when it is new;
    `since_before` the same as of the run before."""

    event: Event
    ended: Ended
    since: timedelta = timedelta(0)
    since_before: timedelta | None = None

    def is_due(self, repeat: timedelta) -> bool:
        """Whether it is worth a word again: with every run, or once in every `repeat`."""
        if self.since_before is None or not repeat:
            return True
        return self.since // repeat > self.since_before // repeat

    def to_json(self) -> dict[str, Any]:
        """What a payload and its template know of it."""
        ended = self.ended
        return {
            "event": str(self.event),
            "mapping": ended.mapping,
            "status": ended.status,
            "error": ended.error,
            "acknowledged": ended.acknowledged,
            "rejected": ended.rejected,
            "pending": ended.pending,
            "seconds": round(ended.seconds, 3),
            "text": _sentence(self),
        }


def _sentence(happened: Happened) -> str:
    ended = happened.ended
    parts = [f"{ended.mapping} {_SAID[happened.event]}"]
    counts = {"pending": ended.pending, "rejected": ended.rejected}
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    if told:
        parts.append(f" ({told})")
    guard = ended.report.get("guard") or {}
    why = guard.get("numbers") or (ended.error and ended.error.splitlines()[0])
    parts += [f": {each}" for each in (why, _NEXT.get(happened.event)) if each]
    return "".join(parts)


def alert(project: Project, target: Target, control: ControlStore, ended: list[Ended]) -> None:
    """Post what happened in a run to those who want to know.

    Raises:
        ConfigError: the alerts of the project cannot be read.
        DestinationError: some could not be told; the others were.
        StateError: the control store cannot be used.
    """
    happened = list(_happened(control, ended))
    problems = []
    for number, each in enumerate(project.alerts, start=1):
        due = [one for one in happened if one.event in each.on and one.is_due(each.repeat)]
        if not due:
            continue
        # A key that is the target's own name, as the sandbox's may be, hides nothing.
        secrets = {*secrets_in(target), *secrets_in(each)} - {target.name}
        try:
            _post(each, _covered(payload(each, ended[0], due), secrets))
        except ConnectorError as error:
            problems.append(f"alert {number} {error}")
    if problems:
        raise DestinationError("; ".join(problems))


def _happened(control: ControlStore, ended: list[Ended]) -> Iterator[Happened]:
    for each in ended:
        trouble = each.trouble
        if trouble is None and each.status != "done":
            continue
        earlier = before(control, each, _LOOKED_BACK if trouble else 1)
        if trouble is None:
            if earlier and earlier[0].trouble is not None:
                yield Happened(Event.RECOVERED, each)
            continue
        same = []
        for one in earlier:
            if one.trouble is not trouble:
                break
            same.append(one)
        if not same:
            yield Happened(trouble, each)
            continue
        began = same[-1].finished_at
        yield Happened(trouble, each, each.finished_at - began, same[0].finished_at - began)


def payload(alert: Alert, run: Ended, happened: list[Happened]) -> dict[str, Any]:
    """What is posted.

    Raises:
        DestinationError: the template cannot be filled in.
    """
    events = [one.to_json() for one in happened]
    known = {
        "text": f"{run.command} to {run.target}: " + "; ".join(one["text"] for one in events),
        "run_id": run.run_id,
        "command": run.command,
        "target": run.target,
        "events": events,
    }
    if alert.template is None:
        return known
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    try:
        return {name: _filled(value, environment, known) for name, value in alert.template.items()}
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise DestinationError(f"has a template that cannot be filled in: {error}") from None


def _filled(value: Any, environment: SandboxedEnvironment, known: Mapping[str, Any]) -> Any:
    """Only texts are templates, so that whatever is put in cannot change the form around it."""
    if isinstance(value, str):
        return environment.from_string(value).render(known)
    if isinstance(value, Mapping):
        return {name: _filled(each, environment, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, environment, known) for each in value]
    return value


def _covered(value: Any, secrets: set[str]) -> Any:
    if isinstance(value, str):
        return scrub(value, secrets)
    if isinstance(value, dict):
        return {name: _covered(each, secrets) for name, each in value.items()}
    if isinstance(value, list):
        return [_covered(each, secrets) for each in value]
    return value


def _post(alert: Alert, document: dict[str, Any]) -> None:
    """Post once. What is raised names no address: a webhook's is a secret."""
    timeout = timedelta(seconds=alert.timeout)
    client = (
        SyncClientBuilder()
        .no_proxy()
        .follow_redirects(False)
        .referer(False)
        .default_cookie_store(False)
        .user_agent(f"sequen-connector/{__version__}")
        .timeout(timeout)
        .connect_timeout(timeout)
        .build()
    )
    body = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    with client:
        request = client.post(alert.webhook.get_secret_value())
        request = request.header("Content-Type", "application/json").body_bytes(body)
        try:
            status = request.build().send().status
        except PyreqwestError:
            raise DestinationError("could not be posted: no answer from its webhook") from None
    if not 200 <= status < 300:
        raise DestinationError(f"could not be posted: its webhook answers HTTP {status}")
