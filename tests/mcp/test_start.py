"""An assistant starts its servers with itself, Archon's own start takes seconds: who waits, and what a failure says."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from archon.embedded.running import StartFailed
from archon.mcp.server import mcp_server
from archon.mcp.sessions import made, new_session_id
from archon.mcp.stdio import in_background
from tests.mcp.assistant import ask, in_django
from tests.mcp.conftest import LogRows

pytestmark = pytest.mark.django_db(transaction=True)


def server(ready: asyncio.Future[Any]) -> Any:
    return mcp_server(made(new_session_id("stdio", ""), "", "", "stdio"), ready)


async def test_the_tools_are_listed_at_once_and_the_first_call_waits(log_rows: LogRows) -> None:
    starts = threading.Event()
    async with Client(server(in_background(lambda: starts.wait(20)))) as client:
        assert (await client.list_tools()).tools
        call = asyncio.create_task(ask(client, "rag_get_available_sources"))
        assert not (await asyncio.wait([call], timeout=0.2))[0]
        starts.set()
        assert (await call)["count"] == 0
    rows = [row.metadata["method"] for row in await in_django(log_rows.all)]
    assert rows == ["server/discover", "tools/call"], "what came before the database is not lost"


async def test_a_start_that_failed_is_told_by_every_call() -> None:
    def failing() -> None:
        raise StartFailed("Port 8080 on 127.0.0.1 is taken.")

    async with Client(server(in_background(failing))) as client:
        for _ in range(2):
            with pytest.raises(MCPError, match=r"Port 8080 .* \[not_started\] Start it with: make up"):
                await client.call_tool("health_check", {})
