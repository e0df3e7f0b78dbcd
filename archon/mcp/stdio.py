"""The server over stdin and stdout: one process, one client, one session."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from archon.embedded.supervisor import ensure_running
from archon.mcp.server import mcp_server
from archon.mcp.sessions import made, new_session_id

START_SECONDS = 120.0


async def serve(*, start: bool) -> None:
    """Until the client closes. The handshake never waits for Archon's own start; the first call does."""
    session = made(new_session_id("stdio", ""), "", "", "stdio")
    ready = in_background(lambda: ensure_running(START_SECONDS)) if start else None
    await mcp_server(session, ready).run_stdio_async()


def in_background(call: Callable[[], Any]) -> asyncio.Future[Any]:
    """In a thread that does not hold up the end: a client that closes early must not wait for the start."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()
    ended.add_done_callback(lambda future: future.cancelled() or future.exception())  # nobody may ever ask

    def run() -> None:
        try:
            result = call()
        except Exception as error:
            tell, told = ended.set_exception, error
        else:
            tell, told = ended.set_result, result
        with contextlib.suppress(RuntimeError):  # the loop is closed: the client has gone
            loop.call_soon_threadsafe(tell, told)

    threading.Thread(target=run, name="start-archon", daemon=True).start()
    return ended
