"""The server for coding assistants: the Model Context Protocol over Streamable HTTP and stdio.

The official SDK speaks the protocol; here stand the tools, the sessions and the live log of calls.
Nothing of it is imported before the first assistant comes: the SDK takes a second and 50 MB.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from importlib import import_module

PATH = "/mcp"
NAME = "archon"
VERSION = "0.1.0"
# The web process imports this at its start.
STARTED_AT = datetime.now(UTC)

_loading = threading.Lock()


def load_sdk() -> None:
    """Two threads that import the SDK at once wait for each other's modules, and Python fails one of them."""
    with _loading:
        import_module("archon.mcp.server")
        import_module("archon.mcp.tools")


def uptime_seconds() -> float:
    return round((datetime.now(UTC) - STARTED_AT).total_seconds(), 1)
