"""Who may do what. Local mode: one operator on loopback, and no web page may drive the API.
Server mode: everything but the health checks needs an account, and a scope: archon/scopes.py.

A browser sends `Origin` with every WebSocket and every cross-site write, so a page of another
site gives itself away; scripts and assistants send none and are judged by the Host header,
which ALLOWED_HOSTS bounds (a rebound name is not in it), and by their token.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.request import split_domain_port, validate_host

from archon import limits
from archon.identity import SUBPROTOCOL, Identity, identified, identified_socket, local_operator, why_over
from archon.scopes import MCP, SAFE_METHODS, Need, Scope, need_of, socket_need
from archon.tokens import BadToken
from progress import standing
from progress.closing import CLOSE_FORBIDDEN, CLOSE_NOT_SIGNED_IN
from progress.plural import plural
from progress.problem import problem
from progress.standing import Look
from progress.threads import in_thread
from progress.viewer import KEY

logger = logging.getLogger(__name__)

CHALLENGE = 'Bearer realm="archon"'
# Health checks come from what would restart us if we refused them.
UNCOUNTED_PATHS = ("/health", "/api/health", "/ready", "/assets/", "/static/")
GetResponse = Callable[[HttpRequest], HttpResponseBase]


def require_an_account() -> None:
    """A server without an operator would be one that nobody can look into. Raises ImproperlyConfigured."""
    if not settings.LOCAL_MODE and not get_user_model().objects.filter(is_active=True, is_superuser=True).exists():
        raise ImproperlyConfigured(
            "ARCHON_MODE=server needs an operator's account first: python manage.py createsuperuser"
        )


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
    """Refuses what another site's page asks with this browser: any write, and any reading but a link that is followed.

    Nothing of an answer reaches that page. But how long one takes and how large it is can be measured from there,
    and a search costs us the same. Browsers say which page asks, in `Origin` or `Sec-Fetch-Site`; scripts say nothing.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        origin = request.headers.get("Origin")
        if origin is not None and is_own_origin(origin, request.get_host()):
            return self.get_response(request)
        if is_of_another_page(request) or (origin is not None and request.method not in SAFE_METHODS):
            return self._refused(origin or "another site")
        return self.get_response(request)

    def _refused(self, origin: str) -> HttpResponse:
        hint = "Add the origin to ARCHON_TRUSTED_ORIGINS if it is yours."
        return problem(403, f"Pages of {origin} may not ask here.", "origin_forbidden", hint)


def is_of_another_page(request: HttpRequest) -> bool:
    """Another port of this machine is another page too: "same-site" says no more than that the name is alike."""
    if request.headers.get("Sec-Fetch-Site") not in ("cross-site", "same-site"):
        return False
    followed = (request.headers.get("Sec-Fetch-Mode"), request.headers.get("Sec-Fetch-Dest")) == (
        "navigate",
        "document",
    )
    return not (followed and request.method in SAFE_METHODS)


class LocalOperatorMiddleware:
    """In local mode whoever reaches loopback is the operator: the admin opens without a password."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse | HttpResponseBase:
        if settings.LOCAL_MODE and request.path.startswith("/admin/") and not request.user.is_authenticated:
            request.user = local_operator()
        return self.get_response(request)


class AccessMiddleware:
    """Server mode answers nobody it does not know, and gives each what their scopes allow.

    Known is who sends a token, or has a session. Pages send people to the login; the API says 401.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not settings.LOCAL_MODE:
            try:
                identity = identified(
                    request.user, request.headers.get("Authorization", ""), request.session.session_key
                )
            except BadToken as error:
                return unknown_to_us(str(error))
            if identity is not None:
                request.user = identity.user
                setattr(request, KEY, identity.viewer)
            request.identity = identity  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if settings.LOCAL_MODE:
            return None
        match = request.resolver_match
        assert match is not None
        names = ("admin",) if "admin" in match.app_names else (match.view_name, match.route)
        need = need_of(names, request.method or "GET")
        identity: Identity | None = request.identity  # type: ignore[attr-defined]
        if need is not None and need.anyone:
            return None
        if identity is None:
            if not request.path.startswith(("/api/", "/metrics")):
                return redirect_to_login(request.get_full_path(), "/admin/login/")
            return unknown_to_us("Sign in to use this server.")
        if need is None or not need.scopes <= identity.scopes:
            return forbidden(need)
        setattr(request, standing.KEY, partial(why_over, identity, need))
        return None


class LimitMiddleware:
    """429 with Retry-After for who asks too often; stands behind the one that knows who it is."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(UNCOUNTED_PATHS):
            return self.get_response(request)
        identity: Identity | None = getattr(request, "identity", None)
        seconds = limits.seconds_to_wait(counted_as(identity, request.META.get("REMOTE_ADDR")))
        return too_many(seconds) if seconds else self.get_response(request)


def counted_as(identity: Identity | None, address: str | None) -> str:
    """The tokens of one account count together."""
    return f"user:{identity.user.pk}" if identity is not None else f"address:{address}"


def too_many(seconds: int) -> HttpResponse:
    hint = f"Come back in {seconds} s. The operator can raise ARCHON_REQUESTS_PER_MINUTE."
    error = f"More than {plural(settings.REQUESTS_PER_MINUTE, 'request')} within a minute."
    response = problem(429, error, "too_many_requests", hint)
    response["Retry-After"] = str(seconds)
    return response


def unknown_to_us(error: str) -> HttpResponse:
    hint = "Open /admin/login/ in this browser, or send a token: Authorization: Bearer arc_..."
    response = problem(401, error, "not_signed_in", hint)
    response["WWW-Authenticate"] = CHALLENGE
    return response


def forbidden(need: Need | None) -> HttpResponse:
    scopes = ", ".join(sorted(need.scopes)) if need else "no"
    hint = "Ask an operator for a token with that scope, or for staff status."
    return problem(403, f"This needs the scope {scopes}.", "scope_missing", hint)


def protected_resource(request: HttpRequest) -> HttpResponse:
    """RFC 9728: how a client of the assistants' server shows who it is. Tokens are made here, by people."""
    base = f"{request.scheme}://{request.get_host()}"
    return JsonResponse(
        {
            "resource": f"{base}/mcp",
            "resource_name": "Archon",
            "bearer_methods_supported": ["header"],
            "scopes_supported": [Scope.MCP],
            "resource_documentation": f"{base}/api/docs",
        }
    )


class SocketAccess:
    """ASGI wrapper: the same rules for WebSockets. Stands inside the middleware that finds the user.

    A script sends its token as a header. A browser cannot; its session speaks for it, or a ticket
    among the subprotocols it offers: `archon` and `archon.ticket.<ticket>`.
    """

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        offered = scope.get("subprotocols", [])
        accepting = with_subprotocol(send) if SUBPROTOCOL in offered else send
        if settings.LOCAL_MODE:
            await self.application(scope, receive, accepting)
            return
        need = socket_need(scope["path"])
        try:
            identity = await in_thread(
                identified_socket, scope["user"], authorization_of(scope), session_key_of(scope), offered
            )
        except BadToken:
            identity = None
        if identity is None:
            await send({"type": "websocket.close", "code": CLOSE_NOT_SIGNED_IN})
        elif need is not None and not need.scopes <= identity.scopes:
            await send({"type": "websocket.close", "code": CLOSE_FORBIDDEN})
        else:
            known = {**scope, "user": identity.user, KEY: identity.viewer}
            await self._watched(known, receive, accepting, partial(why_over, identity, need))

    async def _watched(self, scope: dict[str, Any], receive: Any, send: Any, look: Look) -> None:
        """A socket may live for days: whoever lost the right meanwhile is closed within a minute."""
        watch = asyncio.create_task(close_when_over(send, look))
        try:
            await self.application(scope, receive, send)
        finally:
            watch.cancel()


async def close_when_over(send: Any, look: Look) -> None:
    over = await standing.until_over(look)
    logger.info("a socket is closed, its right is over: %s", over.message)
    await send({"type": "websocket.close", "code": over.close_code})


def with_subprotocol(send: Any) -> Any:
    """A browser that offered subprotocols closes a socket whose server chose none."""

    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": SUBPROTOCOL}
        await send(message)

    return sending


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
        elif settings.LOCAL_MODE:
            await self.application(scope, receive, send)
        else:
            await self._known(scope, receive, send, host)

    async def _known(self, scope: dict[str, Any], receive: Any, send: Any, host: str) -> None:
        error = "Send a token with the scope mcp: Authorization: Bearer arc_..."
        identity = None
        try:
            identity = await in_thread(identified, scope["user"], authorization_of(scope), session_key_of(scope))
        except BadToken as bad:
            error = str(bad)
        if identity is None:
            await refuse(send, 401, error, "POST /api/tokens makes one.", resource=f"{scope['scheme']}://{host}")
        elif not MCP.scopes <= identity.scopes:
            await refuse(send, 403, "This token has not the scope mcp.", "Make one that has: POST /api/tokens.")
        elif seconds := await in_thread(limits.seconds_to_wait, counted_as(identity, None)):
            await refuse(send, 429, "Too many calls came within a minute.", f"Come back in {seconds} s.", wait=seconds)
        else:
            known = {"user": identity.user, "archon.scopes": identity.scopes, KEY: identity.viewer}
            await self._while_known({**scope, **known}, receive, send, partial(why_over, identity, MCP))

    async def _while_known(self, scope: dict[str, Any], receive: Any, send: Any, look: Look) -> None:
        """A call may last as long as its crawl: whoever lost the right meanwhile is told no more of it."""
        answer = Begun(send)
        calling = asyncio.ensure_future(self.application(scope, receive, answer))
        watch = asyncio.create_task(standing.until_over(look))
        try:
            await asyncio.wait((calling, watch), return_when=asyncio.FIRST_COMPLETED)
        finally:
            watch.cancel()
            if not calling.done():
                calling.cancel()
                await asyncio.wait((calling,))
        if not calling.cancelled():
            calling.result()
        elif answer.begun:
            await send({"type": "http.response.body"})
        else:
            over = watch.result()
            await refuse(send, 401, over.message, over.hint)


class Begun:
    """Sends, and knows whether an answer has begun."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: dict[str, Any]) -> None:
        self.begun = True
        await self._send(message)


async def refuse(send: Any, status: int, error: str, hint: str, *, resource: str = "", wait: int = 0) -> None:
    """In the words of JSON-RPC, which is all that MCP clients read."""
    message = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": f"{error} {hint}"}}
    headers = [(b"content-type", b"application/json")]
    if wait:
        headers.append((b"retry-after", str(wait).encode()))
    if status == 401:
        metadata = f', resource_metadata="{resource}/.well-known/oauth-protected-resource"'
        headers.append((b"www-authenticate", f"{CHALLENGE}{metadata}".encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(message).encode()})


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


def authorization_of(scope: Mapping[str, Any]) -> str:
    return header(scope["headers"], b"authorization")


def session_key_of(scope: Mapping[str, Any]) -> str | None:
    key: str | None = scope["session"].session_key
    return key


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key == name), "")
