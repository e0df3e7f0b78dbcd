"""All WebSocket paths, and the one HTTP path that is not Django's.

The last WebSocket path answers a mistyped one with a close code instead of an error page.
"""

from __future__ import annotations

from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import re_path

import knowledge.routing
import progress.routing
from archon.mcp import PATH
from progress.closing import CLOSE_UNKNOWN_PATH


class UnknownPath(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.accept()
        await self.close(CLOSE_UNKNOWN_PATH)


websocket_urlpatterns = [
    *progress.routing.websocket_urlpatterns,
    *knowledge.routing.websocket_urlpatterns,
    re_path(r"", UnknownPath.as_asgi()),
]


def http_application(django: Any, mcp: Any) -> Any:
    """Assistants' calls stream and last: they go to the MCP server, past Django's middleware."""

    async def route(scope: Any, receive: Any, send: Any) -> None:
        await (mcp if scope["path"].rstrip("/") == PATH else django)(scope, receive, send)

    return route
