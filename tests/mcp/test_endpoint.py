"""`/mcp` on a server with accounts: the whole way from the socket's scope to the tool, in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.auth import AuthMiddlewareStack
from django.contrib.auth import get_user_model
from django.db import connections

from archon import tokens
from archon.auth import McpAccess
from archon.mcp.endpoint import McpEndpoint
from archon.scopes import Scope
from crawler.models import CrawlJob
from progress.threads import in_thread
from tests.mcp.assistant import in_django
from tests.mcp.conftest import LogRows

pytestmark = pytest.mark.django_db(transaction=True)

HOST = "archon.example.org"


@pytest.fixture
async def server(settings: Any) -> AsyncIterator[Any]:
    settings.LOCAL_MODE, settings.ALLOWED_HOSTS = False, [".example.org"]
    endpoint = McpEndpoint()
    yield AuthMiddlewareStack(McpAccess(endpoint))
    await endpoint.stop()
    await in_thread(connections.close_all)


def token(name: str, *scopes: Scope) -> str:
    user, _ = get_user_model().objects.get_or_create(username=name)
    return tokens.issue(user, name="laptop", scopes=scopes).text


async def post(server: Any, body: dict[str, Any], bearer: str = "", session: str = "") -> tuple[int, dict[str, Any]]:
    """The status, and the JSON-RPC answer, whether it came as JSON or as an event."""
    headers = {"host": HOST, "content-type": "application/json", "accept": "application/json, text/event-stream"}
    if bearer:
        headers["authorization"] = f"Bearer {bearer}"
    if session:
        headers["mcp-session-id"] = session
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "scheme": "https",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.7", 5),
    }
    messages: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else await never()

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await server(scope, receive, send)
    content = b"".join(message.get("body", b"") for message in messages).decode()
    data = [line.removeprefix("data: ") for line in content.splitlines() if line.startswith("data: {")]
    return messages[0]["status"], json.loads(data[-1] if data else content)


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


async def test_nobody_is_answered_without_a_token(server: Any) -> None:
    status, body = await post(server, call("health_check"))
    assert (status, body["error"]["message"].startswith("Send a token with the scope mcp")) == (401, True)
    status, _ = await post(server, call("health_check"), "arc_1_invented")
    assert status == 401


async def test_a_token_opens_what_its_scopes_name(server: Any, log_rows: LogRows) -> None:
    reader = await in_django(lambda: token("alice", Scope.READ))
    assistant = await in_django(lambda: token("alice", Scope.READ, Scope.MCP))
    crawler = await in_django(lambda: token("alice", Scope.READ, Scope.MCP, Scope.CRAWL))
    assert (await post(server, call("session_info"), reader))[0] == 403
    status, body = await post(server, call("rag_get_available_sources"), assistant)
    assert (status, body["result"]["isError"]) == (200, False)
    _, body = await post(server, call("start_crawl", url="https://docs.example.com/"), assistant)
    assert "[scope_missing]" in body["result"]["content"][0]["text"]
    _, body = await post(server, call("start_crawl", url="ftp://docs.example.com/"), crawler)
    assert "[url_scheme]" in body["result"]["content"][0]["text"], "the scope was enough"
    assert not await in_django(CrawlJob.objects.exists)
    rows = await in_django(log_rows.all)
    assert {row.metadata["user"] for row in rows} == {"alice"}
