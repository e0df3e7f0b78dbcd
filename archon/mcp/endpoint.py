"""`/mcp` inside the web process: Streamable HTTP without ASGI lifespan, which Daphne does not have.

The SDK's session manager lives in a task of its own from the first request to the end of the
process. It runs stateless, so any process answers any request and a restart strands no client;
the session id that clients repeat is ours, a name only (archon/mcp/sessions.py).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from django.conf import settings

from archon.mcp import load_sdk
from archon.mcp.cancelling import cancel_elsewhere
from archon.mcp.memory import CallName, Rememberer, given_passages, notes
from archon.mcp.sessions import HEADER, SCOPE_KEY, Sessions, caller_of, new_session_id, sessions
from progress.threads import in_pool

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

MAX_BODY_BYTES = 1_048_576
MAX_SESSION_CHARS = 128
STOP_SECONDS = 5.0

Message = dict[str, Any]


class McpEndpoint:
    """An ASGI application for one path; `stop` ends what runs for it."""

    def __init__(self, known: Sessions = sessions) -> None:
        self.sessions = known
        self._starting: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._life: asyncio.Task[None] | None = None
        self._end = asyncio.Event()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["method"] == "DELETE":
            await self._forget(session_id_of(scope), caller_of(scope).user_id)
            await answer(send, 200, {})
        elif scope["method"] != "POST":
            # No stream of its own is offered: everything is told on the stream of the call it belongs to.
            await refuse(send, 405, "This address takes POST; see docs/mcp.md.", [(b"allow", b"POST, DELETE")])
        else:
            await self._post(scope, receive, send)

    async def _post(self, scope: Message, receive: Any, send: Any) -> None:
        body = await whole_body(scope, receive)
        if body is None:
            await refuse(send, 413, f"The request is larger than {MAX_BODY_BYTES} bytes.")
            return
        method, params = method_of(body)
        if method == "notifications/cancelled":
            await self._cancel(scope, params)
            await answer(send, 202, None)
            return
        if method == "initialize":
            info = params.get("clientInfo")
            told = info if isinstance(info, dict) else {}
            scope[SCOPE_KEY] = new_session_id(str(told.get("name", "")), str(told.get("version", "")))
            send = with_session(send, scope[SCOPE_KEY])
        manager = await self._manager()
        await manager.handle_request(scope, replayed(body, receive), send)

    async def _forget(self, session_id: str, account: int | None) -> None:
        self.sessions.forget(session_id, account)
        for memory in (given_passages(), notes()):
            await in_pool(memory.forget, Rememberer(account, session_id))

    async def _cancel(self, scope: Message, params: Message) -> None:
        """A cancel comes as a request of its own; the SDK, stateless, would not know which call it means."""
        call = CallName(
            caller_of(scope).user_id, session_id_of(scope), str(params.get("requestId"))[:MAX_SESSION_CHARS]
        )
        if not call.session_id:
            return
        session = self.sessions.of(call.session_id, account=call.account)
        if cancel := session.running.get(call.request_id):
            cancel()
        else:
            await cancel_elsewhere(call)

    async def _manager(self) -> StreamableHTTPSessionManager:
        if self._starting is None or (self._life is not None and self._life.done()):
            self._starting = asyncio.get_running_loop().create_future()
            self._end.clear()
            self._life = asyncio.create_task(self._live(self._starting))
        return await asyncio.shield(self._starting)

    async def _live(self, started: asyncio.Future[StreamableHTTPSessionManager]) -> None:
        try:
            # In a thread: the SDK's import would hold up every socket for a second.
            manager = await asyncio.to_thread(_new_manager)
            async with manager.run():
                started.set_result(manager)
                await self._end.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    async def stop(self) -> None:
        self._end.set()
        if self._life is not None:
            await asyncio.wait([self._life], timeout=STOP_SECONDS)


def _new_manager() -> StreamableHTTPSessionManager:
    load_sdk()
    from archon.mcp.server import mcp_server, transport_security

    server = mcp_server()
    server.streamable_http_app(
        stateless_http=True,
        max_request_body_size=MAX_BODY_BYTES,
        transport_security=transport_security(settings.ALLOWED_HOSTS, settings.CSRF_TRUSTED_ORIGINS),
    )
    return server.session_manager


async def whole_body(scope: Message, receive: Any) -> bytes | None:
    """None when it is too large; read no further than that."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def replayed(body: bytes, receive: Any) -> Any:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return waiting.pop() if waiting else await receive()

    return receive_again


def with_session(send: Any, session_id: str) -> Any:
    async def send_named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (HEADER.encode(), session_id.encode())]}
        await send(message)

    return send_named


def session_id_of(scope: Message) -> str:
    for name, value in scope["headers"]:
        if name == HEADER.encode():
            return str(value.decode("latin-1"))[:MAX_SESSION_CHARS]
    return ""


def method_of(body: bytes) -> tuple[str, Message]:
    """Of a JSON-RPC message; whatever is none is left to the SDK to refuse."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return "", {}
    if not isinstance(message, dict):
        return "", {}
    params = message.get("params")
    return str(message.get("method", "")), params if isinstance(params, dict) else {}


async def refuse(send: Any, status: int, error: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    await answer(send, status, {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": error}}, headers)


async def answer(send: Any, status: int, body: Any, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    named = [(b"content-type", b"application/json"), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": content})


mcp_endpoint = McpEndpoint()
