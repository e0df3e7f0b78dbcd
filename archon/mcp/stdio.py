"""The server over stdin and stdout: one process, one client, one session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

from archon.embedded.supervisor import ensure_running
from archon.mcp.server import mcp_server
from archon.mcp.sessions import made, new_session_id
from progress.log_rows import LOGGER
from progress.threads import close_pool_connections, in_thread

START_SECONDS = 120.0


async def serve(*, start: bool) -> None:
    """Until the client closes. The handshake never waits for Archon's own start; the first call does."""
    session = made(new_session_id("stdio", ""), "", "", "stdio")
    ready = in_background(lambda: ensure_running(START_SECONDS)) if start else None
    try:
        await mcp_server(session, ready).run_stdio_async()
    finally:
        # Here, since at the interpreter's own end no thread of a pool takes work any more.
        for handler in logging.getLogger(LOGGER).handlers:
            handler.close()
        await asyncio.to_thread(close_pool_connections)
        await in_thread(connections.close_all)


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
