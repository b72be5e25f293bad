"""Secrets taken out of texts that we did not write ourselves."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?=@)|(?<=Bearer )[^\s,;]+")
_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|_URL$|DSN")


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without secrets: those given, those of the environment, and what looks like one."""
    named = {value for name, value in os.environ.items() if _NAMES.search(name) and len(value) > 5}
    for secret in sorted({*secrets, *named}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _CREDENTIALS.sub("***", text)


def secrets_in(settings: object) -> Iterator[str]:
    """The secrets that a dataclass of settings holds, long enough to be told from other words."""
    if not is_dataclass(settings):
        return
    for each in fields(settings):
        value: Any = getattr(settings, each.name)
        if hasattr(value, "get_secret_value"):
            secret: str = value.get_secret_value()
            if len(secret) > 3:
                yield secret
