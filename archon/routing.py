"""All WebSocket paths. The last one answers a mistyped path with a close code instead of an error page."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import re_path

import knowledge.routing
import progress.routing
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
