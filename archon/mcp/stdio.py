"""The server over stdin and stdout: one process, one client, one session."""

from __future__ import annotations

import asyncio

from archon.embedded.supervisor import ensure_running
from archon.mcp.server import mcp_server
from archon.mcp.sessions import made, new_session_id

START_SECONDS = 120.0


async def serve(*, start: bool) -> None:
    """Until the client closes. The handshake never waits for Archon's own start; the first call does."""
    session = made(new_session_id("stdio", ""), "", "", "stdio")
    ready = asyncio.create_task(asyncio.to_thread(ensure_running, START_SECONDS)) if start else None
    await mcp_server(session, ready).run_stdio_async()
