"""What the scan of a mapping says of a row, in the words that both rooms beside it use."""

from __future__ import annotations

from enum import IntEnum


class Verdict(IntEnum):
    """What the mapping's own rules say of a row, before the snapshot is asked."""

    SEND = 0
    SOFT_DELETE = 1
    HARD_DELETE = 2
    SKIP = 3
    WITHDRAWN_SOFT = 4
    """No consent, `otherwise: soft`: soft-deleted where it was synced, without its fields."""
    WITHDRAWN_HARD = 5
    """No consent, `otherwise: hard`: hard-deleted where it was synced."""
