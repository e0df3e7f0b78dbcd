"""An assistant in this process: the SDK's client and server, joined in memory, on the real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from django.db import connections
from mcp import Client

from archon.mcp.server import mcp_server
from archon.mcp.sessions import made, new_session_id

T = TypeVar("T")


@asynccontextmanager
async def assistant(mode: str = "auto") -> AsyncIterator[Client]:
    """Its session remembers, as over stdio."""
    async with Client(mcp_server(made(new_session_id("tester", "1.0"), "", "", "stdio")), mode=mode) as client:
        yield client


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return str(getattr(result.content[0], "text", ""))


async def in_django(call: Callable[[], T]) -> T:
    """From a coroutine, in a thread that leaves no connection behind."""

    def closing() -> T:
        try:
            return call()
        finally:
            connections.close_all()

    return await asyncio.to_thread(closing)
