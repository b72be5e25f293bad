"""Names that Dagster accepts, made of names that people gave."""

import hashlib
import re

import dagster as dg


def identifier(*parts: str) -> str:
    """`parts` as the name of an op, a job or a schedule: letters, digits and underscores."""
    return _kept("__".join(parts), r"[^A-Za-z0-9_]")


def key(*parts: str) -> dg.AssetKey:
    """`parts` as an asset key; Dagster makes names of outputs of them, but for dots and dashes."""
    return dg.AssetKey([_kept(part, r"[^A-Za-z0-9_.-]") for part in parts])


def _kept(text: str, unfit: str) -> str:
    """`text` without what is unfit; where that changed it, a short hash keeps texts apart."""
    clean = re.sub(unfit, "_", text)
    return clean if clean == text else f"{clean}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def tag(text: str) -> str:
    """`text` as the key of a tag: at most 63 letters, digits, dashes, dots and underscores."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)[:63]


def owner(text: str) -> str:
    """An owner as Dagster has them: an e-mail address, or a team."""
    return text if "@" in text or text.startswith("team:") else f"team:{text}"
