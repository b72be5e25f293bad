"""What each answer means: one table from status, or transport failure, to what is done about it.

The status alone decides. A 2xx acknowledges whatever follows it: an empty, truncated, endless or
unreadable body after a 2xx status line changes nothing, because the API had already said yes, and
sending again what it accepted would be the worse mistake. Bodies are read only for the words of a
refusal, and where a request asks: without its answer it is asked again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from connector.destination.work import Operation


class Action(StrEnum):
    """What is done after an attempt."""

    ACKNOWLEDGE = "acknowledge"
    REFUSE = "refuse"
    """The rows' own fault: a batch is split, a single row rejected."""
    SHRINK = "shrink"
    """Too large: a batch is halved and smaller ones follow, a single row is rejected."""
    THROTTLE = "throttle"
    """Over quota: sent again, more slowly."""
    RETRY = "retry"
    """Temporary: sent again after a backoff."""
    STOP = "stop"
    """Nothing would be accepted: the run stops, no row is blamed."""


class Failure(StrEnum):
    """Why no status came back."""

    CONNECT = "could not connect"
    TIMEOUT = "no answer in time"
    BROKEN = "the connection broke"
    GARBLED = "the answer was not HTTP"
    TOO_LONG = "the answer was too long"
    CERTIFICATE = "the server's certificate is not trusted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the table. `problem` and `hint` are said when the run stops."""

    action: Action
    problem: str = ""
    hint: str | None = None


_RETRY = Outcome(Action.RETRY)
_REFUSE = Outcome(Action.REFUSE)
_DONE = Outcome(Action.ACKNOWLEDGE)
_REDIRECT = Outcome(
    Action.STOP,
    "answered with a redirect, which is never followed",
    "put the final address into base_url",
)
_ADDRESS = Outcome(
    Action.STOP, "does not know this address", "check base_url, its path and version included"
)
_REFUSED = Outcome(
    Action.STOP, "refuses every such request", "check base_url and what stands between here and it"
)

_STATUSES: dict[int, Outcome] = {
    400: _REFUSE,
    401: Outcome(
        Action.STOP, "does not accept the API key", "check api_key and auth (bearer or api_key)"
    ),
    403: Outcome(
        Action.STOP, "forbids this API key to write", "ask for a key with write permission"
    ),
    404: _ADDRESS,
    405: _ADDRESS,
    407: Outcome(Action.STOP, "wants a login at the proxy", "check the target's proxy setting"),
    408: _RETRY,
    409: _RETRY,
    410: _ADDRESS,
    413: Outcome(Action.SHRINK),
    421: _RETRY,
    422: _REFUSE,
    423: _RETRY,
    425: _RETRY,
    429: Outcome(Action.THROTTLE),
}

_DELETE: dict[int, Outcome] = {
    404: _DONE,  # nothing left to erase, or the repeat of a DELETE whose answer was lost
    410: _DONE,
    414: _REFUSE,  # the uid is part of the address here, so too long an address is the row's own
}

_RECOMMENDATION: dict[int, Outcome] = {
    403: Outcome(
        Action.STOP,
        "forbids this API key to ask for recommendations",
        "ask for a key that may, and whether the account has the model",
    ),
}

_CLASSES: dict[int, Outcome] = {2: _DONE, 3: _REDIRECT, 4: _REFUSED, 5: _RETRY}

_FAILURES: dict[Failure, Outcome] = {
    Failure.CONNECT: _RETRY,
    Failure.TIMEOUT: _RETRY,
    Failure.BROKEN: _RETRY,
    Failure.GARBLED: _RETRY,
    Failure.TOO_LONG: _RETRY,
    Failure.CERTIFICATE: Outcome(
        Action.STOP,
        "shows a certificate that is not trusted",
        "check base_url, or add the authority to the system's trust store",
    ),
}


def outcome(operation: Operation, result: int | Failure) -> Outcome:
    """What to do about a status, or about the lack of one. Unknown 4xx stop rather than reject."""
    if isinstance(result, Failure):
        return _FAILURES[result]
    if operation is Operation.HARD_DELETE and result in _DELETE:
        return _DELETE[result]
    if operation is Operation.RECOMMENDATION and result in _RECOMMENDATION:
        return _RECOMMENDATION[result]
    return _STATUSES.get(result) or _CLASSES.get(result // 100, _RETRY)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API's words for a refusal; `named` are positions in `events`, with their fields."""

    status: int
    code: str
    message: str
    field: str | None = None
    named: tuple[tuple[int, str | None], ...] = ()


MESSAGE_CHARACTERS = 500
_NAMED = re.compile(r"events\[(\d{1,9})\](?:\.([A-Za-z_][\w.]{0,99}))?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def refusal(status: int, body: bytes) -> Refusal:
    """Read `{"code", "message"}` leniently: whatever the body is, there is a code and a message."""
    said = _document(body)
    code = _text(said.get("code")) or f"http_{status}"
    message = _text(said.get("message")) or _text(said.get("detail")) or _phrase(status)
    named = tuple((int(i), field or None) for i, field in _NAMED.findall(message))
    field = _text(said.get("field")) or next((f for _, f in named if f), None)
    return Refusal(status, code, message, field, named)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    inner = document.get("error")
    return inner if isinstance(inner, dict) else document


def _text(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    return _CONTROL.sub(" ", value).strip()[:MESSAGE_CHARACTERS]


def _phrase(status: int) -> str:
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"
