"""`/mcp` on a server with accounts: the whole way from the socket's scope to the tool, in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from channels.auth import AuthMiddlewareStack
from django.contrib.auth import get_user_model
from django.db import connections
from django.utils import timezone

from archon import tokens
from archon.auth import McpAccess
from archon.mcp.endpoint import McpEndpoint
from archon.models import ApiToken
from archon.scopes import Scope
from crawler.models import CrawlJob
from progress.threads import in_thread
from tests.mcp.assistant import in_django
from tests.mcp.conftest import LogRows
from tests.test_ownership import WORD, account, hidden_of

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


async def post(
    server: Any, body: dict[str, Any], bearer: str = "", session: str = "", *, query: str = "", **more: str
) -> tuple[int, dict[str, Any]]:
    """The status, and the JSON-RPC answer, whether it came as JSON or as an event."""
    headers = {"host": HOST, "content-type": "application/json", "accept": "application/json, text/event-stream"} | more
    if bearer:
        headers["authorization"] = f"Bearer {bearer}"
    if session:
        headers["mcp-session-id"] = session
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "scheme": "https",
        "query_string": query.encode(),
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


async def test_whoever_must_not_come_is_refused_in_every_way(server: Any) -> None:
    key = await in_django(lambda: token("alice", *Scope))
    for name, value, status in (
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("host", "rebound.example", 421),
        ("host", "", 421),
    ):
        assert (await post(server, call("health_check"), key, **{name: value}))[0] == status, (name, value)
    assert (await post(server, call("health_check"), query=f"token={key}"))[0] == 401
    assert (await post(server, call("health_check"), key))[0] == 200
    await in_django(lambda: ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1)))
    assert (await post(server, call("health_check"), key))[0] == 401


async def test_another_accounts_private_page_is_no_resource(server: Any) -> None:
    hidden = await in_django(lambda: hidden_of(account("bob")))
    keys = await in_django(lambda: {name: token(name, *Scope) for name in ("alice", "bob")})

    async def told(name: str, uri: str) -> str:
        body = {"jsonrpc": "2.0", "id": 3, "method": "resources/read", "params": {"uri": uri}}
        return json.dumps((await post(server, body, keys[name]))[1])

    for uri in ("archon://sources", f"archon://pages/{hidden.page_id}"):
        assert WORD in await told("bob", uri)
        assert WORD not in await told("alice", uri)

    def without(page_id: str, text: str) -> str:
        """Where it is named: a short one may stand in the number of the error as well."""
        assert f"'{page_id}'" in text
        return text.replace(f"'{page_id}'", "").replace(f"pages/{page_id}", "")

    unknown = without("900719", await told("alice", "archon://pages/900719"))
    assert without(hidden.page_id, await told("alice", f"archon://pages/{hidden.page_id}")) == unknown


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
