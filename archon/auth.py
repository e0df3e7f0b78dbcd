"""Who may do what. Local mode: one operator on loopback, and no web page may drive the API.
Server mode: everything but the health checks needs a signed-in account.

A browser sends `Origin` with every WebSocket and every cross-site write, so a page of another
site gives itself away; scripts and assistants send none and are judged by the Host header,
which ALLOWED_HOSTS bounds (a rebound name is not in it).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.request import split_domain_port, validate_host

from progress.closing import CLOSE_FORBIDDEN, CLOSE_NOT_SIGNED_IN

LOCAL_OPERATOR = "local"
OPEN_PATHS = ("/health", "/api/health", "/ready", "/admin/", "/static/", "/assets/", "/favicon.ico")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
GetResponse = Callable[[HttpRequest], HttpResponseBase]


def is_own_origin(origin: str, host: str) -> bool:
    """Whether `origin` is a page of ours: the host it was served from, or one the operator trusts."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # "http://[" is what a hostile script sends, and no browser
        return False
    return parts.scheme in ("http", "https") and parts.netloc == host and is_allowed_host(host)


def is_allowed_host(host: str) -> bool:
    return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)


class OriginMiddleware:
    """Refuses writes to the API that another site's page makes with this browser."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        origin = request.headers.get("Origin")
        if request.method in SAFE_METHODS or origin is None or is_own_origin(origin, request.get_host()):
            return self.get_response(request)
        body = {
            "error": f"Pages of {origin} may not write here.",
            "code": "origin_forbidden",
            "hint": "Add the origin to ARCHON_TRUSTED_ORIGINS if it is yours.",
            "field": None,
        }
        return JsonResponse({"detail": body}, status=403)


class LocalOperatorMiddleware:
    """In local mode whoever reaches loopback is the operator: the admin opens without a password."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse | HttpResponseBase:
        if settings.LOCAL_MODE and request.path.startswith("/admin/") and not request.user.is_authenticated:
            request.user = local_operator()
        return self.get_response(request)


class SignedInMiddleware:
    """Server mode answers nobody it does not know: 401 on the API, the login page elsewhere."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.LOCAL_MODE or request.user.is_authenticated or request.path.startswith(OPEN_PATHS):
            return self.get_response(request)
        if not request.path.startswith(("/api/", "/metrics")):
            return redirect_to_login(request.get_full_path(), "/admin/login/")
        body = {
            "error": "Sign in to use this server.",
            "code": "not_signed_in",
            "hint": "Open /admin/login/ in this browser.",
            "field": None,
        }
        return JsonResponse({"detail": body}, status=401)


class SignedInSockets:
    """ASGI wrapper: the same rule for WebSockets. Stands inside the middleware that finds the user."""

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if settings.LOCAL_MODE or scope["user"].is_authenticated:
            await self.application(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": CLOSE_NOT_SIGNED_IN})


class McpAccess:
    """ASGI wrapper: the same rules for assistants at /mcp. Stands inside the middleware that finds the user."""

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        host = header(scope["headers"], b"host")
        origin = header(scope["headers"], b"origin")
        if not is_allowed_host(host):
            await refuse(send, 421, f"{host!r} is not a name of this server.", "Add it to ARCHON_ALLOWED_HOSTS.")
        elif origin and not is_own_origin(origin, host):
            hint = "Add the origin to ARCHON_TRUSTED_ORIGINS if it is yours."
            await refuse(send, 403, f"Pages of {origin} may not call here.", hint)
        elif settings.LOCAL_MODE or scope["user"].is_authenticated:
            await self.application(scope, receive, send)
        else:
            await refuse(send, 401, "Sign in to use this server.", "Send the session of an account that is signed in.")


async def refuse(send: Any, status: int, error: str, hint: str) -> None:
    """In the words of JSON-RPC, which is all that MCP clients read."""
    message = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": f"{error} {hint}"}}
    headers = [(b"content-type", b"application/json")]
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="archon"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(message).encode()})


def local_operator() -> Any:
    """The account that stands for the person at this machine; it has no usable password."""
    users = get_user_model()
    user, made = users.objects.get_or_create(username=LOCAL_OPERATOR, defaults={"is_staff": True, "is_superuser": True})
    if made:
        user.set_unusable_password()
        user.save()
    return user


class WebSocketOrigin:
    """ASGI wrapper: a foreign Origin or a foreign Host is refused before the socket opens.

    Channels' own validator also refuses a missing Origin, which no script ever sends.
    """

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        host = header(scope["headers"], b"host")
        origin = header(scope["headers"], b"origin")
        if is_allowed_host(host) and (not origin or is_own_origin(origin, host)):
            await self.application(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": CLOSE_FORBIDDEN})


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")
