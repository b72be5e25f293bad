"""Names that Dagster accepts, made of names that people gave."""

import hashlib
import re


def identifier(*parts: str) -> str:
    """`parts` as the name of an op, a job or a schedule: letters, digits and underscores.

    What had to be changed gets a short hash, so that different names stay different.
    """
    joined = "__".join(parts)
    clean = re.sub(r"[^A-Za-z0-9_]", "_", joined)
    if clean == joined:
        return clean
    return f"{clean}_{hashlib.sha256(joined.encode()).hexdigest()[:6]}"


def tag(text: str) -> str:
    """`text` as the key of a tag: at most 63 letters, digits, dashes, dots and underscores."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)[:63]


def owner(text: str) -> str:
    """An owner as Dagster has them: an e-mail address, or a team."""
    return text if "@" in text or text.startswith("team:") else f"team:{text}"
