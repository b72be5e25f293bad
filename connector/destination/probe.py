"""Questions to the API that touch no data: does it answer, does it take the key, is it as we think?

The mock models exist for this: `test_model_item_200` answers in full, `_400`, `_429` and `_503`
with an error each. Whether the key may write is told by an empty batch of events: there is nothing
in it to store, and a key without permission is refused before that is found out.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from connector.destination.outcomes import Action, Failure, Outcome, outcome
from connector.destination.requests import Request, events, recommend
from connector.destination.target import Target
from connector.destination.transport import Answer, HttpTransport, Transport, described
from connector.destination.work import Operation

MODEL = "test_model_item_200"
MODELS_THAT_FAIL = {
    "test_model_item_400": Action.REFUSE,
    "test_model_item_429": Action.THROTTLE,
    "test_model_item_503": Action.RETRY,
}
"""What has to be made of the answer of each."""

SKEW_SECONDS = 60
"""By how much clocks may differ: as long as a lease lasts without a sign of life."""

_ITEMS = ("doctor-2", "doctor-1")
_TEMPORARY = {
    Action.THROTTLE: "the quota is used up just now; try again, and set `rate_limit`",
    Action.RETRY: "check base_url, the network and `proxy`; otherwise wait and try again",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one question; `good` is None where it could not be asked or does not matter."""

    name: str
    good: bool | None
    message: str
    fix: str | None = None


async def probe(target: Target, *, writes: bool, asks: bool) -> AsyncIterator[Finding]:
    """Ask the API of a target, one question after the other, each once.

    `writes` and `asks` say what the key is needed for: users and events, recommendations.

    Raises:
        DestinationError: no request can be built for this target.
    """
    transport = HttpTransport(target)
    try:
        answer = await transport.send(_ask(MODEL))
        api = _answered(target, answer, asks=asks)
        yield api
        if not isinstance(answer, Answer):
            return
        yield _clock(answer)
        if api.good:
            for model, expected in MODELS_THAT_FAIL.items():
                yield _classified(model, await transport.send(_ask(model)), expected)
        if api.good is not False and writes:
            yield await _may_write(transport)
    finally:
        await transport.close()


def _ask(model: str) -> Request:
    body = {"user_id": "connector-doctor", "item_ids": _ITEMS, "model_id": model}
    return recommend(json.dumps(body).encode())


def _answered(target: Target, answer: Answer | Failure, *, asks: bool) -> Finding:
    verdict = _verdict(Operation.RECOMMENDATION, answer)
    if isinstance(answer, Answer) and answer.status == 403 and not asks:
        return Finding("api", None, "answers; the key may not ask for recommendations, and no "
                       "mapping does")  # fmt: skip
    if answer is Failure.CONNECT:
        local = urlsplit(target.base_url).scheme == "http"
        fix = "start `connector sandbox`, or check base_url" if local else _TEMPORARY[Action.RETRY]
        return Finding("api", False, f"{target.base_url}: {answer}", fix)
    if verdict.action is not Action.ACKNOWLEDGE or not isinstance(answer, Answer):
        return _failed("api", answer, verdict)
    wrong = _unlike_the_schema(answer.body)
    if wrong is not None:
        return Finding("api", False, f"{MODEL}: {wrong}", "check base_url: is it the API's?")
    return Finding(
        "api", True, f"{MODEL} answers {answer.status}: address, key and schema are right"
    )


def _verdict(operation: Operation, answer: Answer | Failure) -> Outcome:
    return outcome(operation, answer.status if isinstance(answer, Answer) else answer)


def _failed(name: str, answer: Answer | Failure, verdict: Outcome) -> Finding:
    if verdict.problem:
        return Finding(
            name, False, f"the API {verdict.problem} ({described(answer)})", verdict.hint
        )
    fix = _TEMPORARY.get(verdict.action, "ask whether the account has the mock models")
    return Finding(name, False, f"no usable answer: {described(answer)}", fix)


def _unlike_the_schema(body: bytes) -> str | None:
    try:
        document = json.loads(body)
    except ValueError:
        return "the answer is not JSON"
    given: Any = document.get("items") if isinstance(document, dict) else None
    if not isinstance(given, list) or not isinstance(document.get("rec_id"), str):
        return "the answer has no rec_id and items"
    if [item.get("id") if isinstance(item, dict) else None for item in given] != list(_ITEMS):
        return "the answer does not hold the items that were asked about, in their order"
    if not all(isinstance(item.get("score"), int | float) for item in given):
        return "an item of the answer has no score"
    return None


def _clock(answer: Answer) -> Finding:
    try:
        theirs = parsedate_to_datetime(answer.header("date") or "").replace(tzinfo=UTC)
    except ValueError:
        return Finding("clock", None, "the API does not say what time it is")
    ahead = round((datetime.now(UTC) - theirs).total_seconds())
    said = f"{abs(ahead):,} s {'ahead of' if ahead > 0 else 'behind'} the API's"
    if abs(ahead) > SKEW_SECONDS:
        return Finding("clock", False, f"this machine's clock is {said}",
                       "set it by NTP: leases and waits until a given time go by it")  # fmt: skip
    return Finding("clock", True, "this machine's clock agrees with the API's")


def _classified(model: str, answer: Answer | Failure, expected: Action) -> Finding:
    name = f"error {model.rpartition('_')[2]}"
    found = _verdict(Operation.RECOMMENDATION, answer)
    if found.action is expected:
        return Finding(name, True, f"{model} is taken as it should: {expected}")
    message = f"{model} answers {described(answer)}, which is taken as: {found.action}"
    return Finding(name, False, message, "check base_url, and what stands between here and the API")


async def _may_write(transport: Transport) -> Finding:
    answer = await transport.send(events(b""))
    verdict = _verdict(Operation.EVENT, answer)
    if verdict.action in {Action.ACKNOWLEDGE, Action.REFUSE, Action.SHRINK}:
        return Finding("write", True, "the key may write: an empty batch gets past it")
    return _failed("write", answer, verdict)
