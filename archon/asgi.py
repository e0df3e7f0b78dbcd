"""HTTP and WebSockets in one ASGI application, as Daphne serves it."""

from __future__ import annotations

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "archon.settings")
http = get_asgi_application()

from archon.auth import McpAccess, SocketAccess, WebSocketOrigin  # noqa: E402  # the apps must be loaded first
from archon.mcp.endpoint import mcp_endpoint  # noqa: E402
from archon.proxies import ClientAddress  # noqa: E402
from archon.routing import http_application, websocket_urlpatterns  # noqa: E402

application = ClientAddress(
    ProtocolTypeRouter(
        {
            "http": http_application(http, AuthMiddlewareStack(McpAccess(mcp_endpoint))),
            "websocket": WebSocketOrigin(AuthMiddlewareStack(SocketAccess(URLRouter(websocket_urlpatterns)))),
        }
    )
)
