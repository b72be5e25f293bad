"""Keeps a personalization platform in step with the warehouse.

The layout follows the road of a row: `mapping` says what to send, `source` reads it, `snapshot`
finds what changed, `destination` delivers it; `sync` walks that road from top to bottom.
"""

__version__ = "0.1.0"
