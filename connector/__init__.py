"""Keeps a personalization platform in step with the warehouse.

The layout follows the road of a row: `mapping` says what to send, `source` reads it, `snapshot`
finds what changed, `destination` delivers it; `sync` walks that road from top to bottom. `Client`
and `AsyncClient` call the API by hand, without any of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connector.destination.client import AsyncClient, Client

__version__ = "0.1.0"
__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> Any:
    """Load the clients when they are asked for: the command line starts faster without HTTP."""
    if name in {"AsyncClient", "Client"}:
        from connector.destination import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
