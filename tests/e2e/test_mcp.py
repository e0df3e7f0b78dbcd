"""Assistants against a running stack: the SDK's own client over HTTP and stdio, and clients that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from archon import doctor
from tests.e2e.served import served
from tests.mcp.assistant import ask, refused
from tests.stack import ROOT, Stack, eventually

pytestmark = pytest.mark.both_databases

ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


def call_body(tool: str, arguments: dict[str, Any], request_id: int = 7) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


def post(stack: Stack, body: Any, headers: dict[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
    """A raw call, so that it may be wrong in every way."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    with contextlib.closing(connection):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", "/mcp", content, {**ACCEPT, **(headers or {})})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return response.status, response.read().decode(), names


def last_call(stack: Stack, tool: str) -> dict[str, Any] | None:
    records = stack.get("/api/mcp/logs?limit=100")["logs"]
    found = [record for record in records if record["metadata"].get("tool_name") == tool]
    return dict(found[-1]) if found else None


def logged(stack: Stack, tool: str, error: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        record = last_call(stack, tool)
        return record if record and error in str(record["metadata"].get("error")) else None

    return dict(eventually(found, what=f"{tool} is logged with {error}"))


@pytest.fixture(autouse=True)
def empty_log(stack: Stack) -> None:
    assert stack.request("DELETE", "/api/mcp/logs")[0] == 200


class TestCrawl:
    @pytest.mark.parametrize("mode", ["legacy", "auto"])
    def test_a_caller_that_waits_is_told_what_the_dashboard_is_told(self, stack: Stack, mode: str) -> None:
        told: list[tuple[float, str | None]] = []
        lines: list[str] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            told.append((progress, message))

        async def on_log(params: Any) -> None:
            lines.append(params.data)

        async def talk(url: str) -> dict[str, Any]:
            address = f"{stack.url}/mcp"
            async with Client(address, mode=mode, logging_callback=on_log, log_level="info") as client:
                arguments = {"url": url, "wait_seconds": 60}
                result = await client.call_tool("start_crawl", arguments, progress_callback=on_progress)
                assert not result.is_error, result.content
                crawl = dict(result.structured_content or {})
                found = await ask(
                    client, "rag_search_knowledge_base", query=example.word(1), source_id=crawl["source_id"]
                )
                assert found["results"][0]["url"].startswith(example.page_urls[1])
                return crawl

        with served(5) as example:
            crawl = asyncio.run(talk(example.url))
        assert (crawl["status"], crawl["percentage"]) == ("completed", 100)
        numbers = [progress for progress, _ in told]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == 100
        events = stack.get(f"/api/progress/{crawl['progress_id']}?since=0")["events"]
        published = events[-1]["data"]["logs"]
        assert lines == published
        assert told[-1][1] == f"completed: 6/6 pages, {published[-1]}" or "completed" in str(told[-1][1])

    def test_a_client_that_vanishes_ends_only_its_wait(self, stack: Stack) -> None:
        with served(6, delay=0.3) as example:
            connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
            body = json.dumps(call_body("start_crawl", {"url": example.url, "wait_seconds": 60}))
            connection.request("POST", "/mcp", body, ACCEPT)
            running = eventually(lambda: stack.get("/api/progress/")["operations"], what="the crawl runs")
            connection.close()
            logged(stack, "start_crawl", "the client went away")
            assert stack.ended(running[0]["progressId"])["status"] == "completed"

    def test_a_cancelled_call_ends_only_its_wait(self, stack: Stack) -> None:
        async def talk(url: str) -> None:
            async with Client(f"{stack.url}/mcp", mode="legacy") as client:
                begun = asyncio.Event()

                async def on_progress(progress: float, total: float | None, message: str | None) -> None:
                    begun.set()

                arguments = {"url": url, "wait_seconds": 60}
                call = asyncio.create_task(client.call_tool("start_crawl", arguments, progress_callback=on_progress))
                await begun.wait()
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
                await asyncio.to_thread(logged, stack, "start_crawl", "")
                assert (await ask(client, "get_crawl_status"))["count"] == 1

        with served(6, delay=0.3) as example:
            asyncio.run(talk(example.url))
            running = stack.get("/api/progress/")["operations"]
            assert stack.ended(running[0]["progressId"])["status"] == "completed"

    def test_a_cancel_by_the_protocol_is_answered(self, stack: Stack) -> None:
        """The cancel is a request of its own, and finds the call by session and id."""
        _, _, headers = post(stack, handshake("canceller"))
        session = {"mcp-session-id": headers["mcp-session-id"]}
        with served(6, delay=0.3) as example:
            connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
            with contextlib.closing(connection):
                body = json.dumps(call_body("start_crawl", {"url": example.url, "wait_seconds": 60}))
                connection.request("POST", "/mcp", body, {**ACCEPT, **session})
                running = eventually(lambda: stack.get("/api/progress/")["operations"], what="the crawl runs")
                cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
                assert post(stack, cancel, session)[0] == 202
                assert "cancelled" in connection.getresponse().read().decode()
            logged(stack, "start_crawl", "cancelled by the client")
            assert stack.ended(running[0]["progressId"])["status"] == "completed"


def handshake(name: str) -> dict[str, Any]:
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": name, "version": "9.1"}}
    return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}


class TestSessions:
    def test_a_restart_between_two_calls_is_not_noticed(self, stack: Stack) -> None:
        async def talk() -> None:
            async with Client(f"{stack.url}/mcp", mode="legacy") as client:
                before = await ask(client, "session_info")
                stack.stop("web")
                stack.spawn("web")  # from this thread: the child ends with the thread that spawned it
                stack.wait_until_ready()
                after = await ask(client, "session_info")
                assert after["session_id"] == before["session_id"]
                assert after["client_name"] == before["client_name"]
                assert after["server_uptime_seconds"] < 60

        asyncio.run(talk())
        assert "Traceback" not in stack.log("web")

    def test_a_restart_in_the_middle_of_a_wait_loses_only_the_wait(self, stack: Stack) -> None:
        with served(6, delay=0.3) as example:
            connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
            with contextlib.closing(connection):
                body = json.dumps(call_body("start_crawl", {"url": example.url, "wait_seconds": 60}))
                connection.request("POST", "/mcp", body, ACCEPT)
                running = eventually(lambda: stack.get("/api/progress/")["operations"], what="the crawl runs")
                began = time.monotonic()
                stack.stop("web")
                assert time.monotonic() - began < 10
                with contextlib.suppress(http.client.HTTPException, OSError):
                    assert '"result"' not in connection.getresponse().read().decode()
            stack.spawn("web")
            stack.wait_until_ready()
            status, text, _ = post(stack, call_body("get_crawl_status", {"progress_id": running[0]["progressId"]}))
            assert (status, '"isError":false' in text) == (200, True)
            assert stack.ended(running[0]["progressId"])["status"] == "completed"
        for sign in ("Traceback", "was destroyed", "took too long"):
            assert sign not in stack.log("web")

    def test_twenty_clients_at_once_are_all_answered(self, stack: Stack) -> None:
        async def one(number: int) -> str:
            async with Client(f"{stack.url}/mcp", mode="legacy" if number % 2 else "auto") as client:
                await ask(client, "search_knowledge", query=f"walrus {number}")
                return str((await ask(client, "session_info"))["client_id"])

        async def all_of_them() -> list[str]:
            return await asyncio.gather(*(one(number) for number in range(20)))

        assert len(set(asyncio.run(all_of_them()))) == 11, "ten sessions, and the client that keeps none"

    def test_clients_and_sessions_are_those_that_called(self, stack: Stack) -> None:
        for name in ("Some Editor", "Some Editor", "Other/IDE"):
            _, _, headers = post(stack, handshake(name))
            session = {"mcp-session-id": headers["mcp-session-id"]}
            assert post(stack, call_body("search_knowledge", {"query": "xylophone quark"}), session)[0] == 200
        post(stack, call_body("stop_crawl", {"progress_id": "nothing"}), session)
        eventually(lambda: stack.get("/api/mcp/logs")["total"] >= 7, what="the calls are logged")
        clients = {client["client_name"]: client for client in stack.get("/api/mcp/clients")["clients"]}
        assert {name: client["sessions"] for name, client in clients.items()} == {"some-editor": 2, "other-ide": 1}
        assert (clients["other-ide"]["calls"], clients["other-ide"]["errors"]) == (2, 1)
        sessions = stack.get("/api/mcp/sessions")
        assert (len(sessions["sessions"]), sessions["active_sessions"]) == (3, 3)
        assert sessions["sessions"][0]["client_version"] == "9.1"
        status = stack.get("/api/mcp/status")
        assert (status["calls"], status["errors"], status["active_sessions"]) == (4, 1, 3)
        assert stack.request("DELETE", "/mcp", headers=session)[0] == 200

    def test_the_queries_that_found_nothing_are_a_list(self, stack: Stack) -> None:
        for query in ("Zyzzogeton", "zyzzogeton ", "quuxly"):
            post(stack, call_body("rag_search_knowledge_base", {"query": query, "mode": "keyword"}))
        eventually(lambda: stack.get("/api/mcp/logs")["total"] == 3, what="the calls are logged")
        asked = {(one["query"], one["count"]) for one in stack.get("/api/mcp/unanswered")["unanswered"]}
        assert asked == {("Zyzzogeton", 2), ("quuxly", 1)}


class TestProtocol:
    def test_what_is_no_request_is_refused_and_the_server_goes_on(self, stack: Stack) -> None:
        assert post(stack, b"{not json")[0] == 400
        assert post(stack, b"[" * 5_000)[0] == 400
        assert post(stack, [call_body("health_check", {})])[0] == 400
        assert post(stack, {"jsonrpc": "1.0"})[0] == 400
        assert post(stack, b"x" * 1_100_000)[0] == 413
        assert post(stack, handshake("x"), {"Accept": "text/html"})[0] == 406
        assert stack.request("GET", "/mcp")[0] == 405
        status, text, _ = post(stack, {"jsonrpc": "2.0", "id": 1, "method": "no/such"})
        assert (status, "-32601" in text) == (200, True)
        status, text, _ = post(stack, call_body("health_check", {"a": "b" * 200_000}))
        assert (status, '"isError":true' in text) == (200, False)
        assert "Traceback" not in stack.log("web")

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"Host": "evil.example"}, 421),
            ({"Host": "127.0.0.1.evil.example:8080"}, 421),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": "http://localhost:1"}, 403),
        ],
    )
    def test_a_rebound_name_and_a_foreign_page_are_refused(
        self, stack: Stack, headers: dict[str, str], status: int
    ) -> None:
        answered, text, _ = post(stack, call_body("health_check", {}), headers)
        assert answered == status
        assert "ARCHON_" in json.loads(text)["error"]["message"]

    def test_our_own_page_may_call(self, stack: Stack) -> None:
        assert post(stack, call_body("health_check", {}), {"Origin": stack.url})[0] == 200

    def test_the_tools_are_the_same_over_rest(self, stack: Stack) -> None:
        async def listed() -> list[Any]:
            async with Client(f"{stack.url}/mcp") as client:
                return list((await client.list_tools()).tools)

        over_rest = {tool["name"]: tool["input_schema"] for tool in stack.get("/api/mcp/tools")["tools"]}
        assert over_rest == {tool.name: tool.input_schema for tool in asyncio.run(listed())}


class TestLog:
    def test_every_call_is_on_the_socket_at_once(self, stack: Stack) -> None:
        with stack.open_socket("/api/mcp/logs/stream") as client:
            for number in range(3):
                post(stack, call_body("search_knowledge", {"query": f"walrus {number}"}))
                ended = time.monotonic()
                record = next(frame for frame in frames(client.recv) if "type" not in frame)
                assert time.monotonic() - ended < 5, "the goal of 100 ms is measured by bench-mcp"
                assert record["message"] == f"Tool 'search_knowledge' called with query: 'walrus {number}'"
                assert record["metadata"]["execution_time"] > 0

    def test_set_up_texts_name_the_real_address(self, stack: Stack) -> None:
        config = stack.get("/api/mcp/config")
        assert config["url"] == f"{stack.url}/mcp"
        assert config["port"] == stack.port
        assert all(stack.url in one["text"] for one in config["clients"] if one["client"] != "stdio")
        (cursor,) = stack.get("/api/mcp/config?client=cursor")["clients"]
        assert json.loads(cursor["text"])["mcpServers"]["archon"]["url"] == f"{stack.url}/mcp"
        status, body = stack.request("GET", "/api/mcp/config?client=emacs")
        assert (status, body["detail"]["code"], body["detail"]["field"]) == (404, "client_unknown", "client")
        printed = stack.manage("mcp-config", "codex", "--url", stack.url)
        assert f'url = "{stack.url}/mcp"' in printed.stdout
        assert "config.toml" in printed.stderr


def frames(receive: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    while True:
        yield json.loads(receive(timeout=20))


class TestDoctor:
    def test_the_handshake_is_made(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "running_url", lambda: stack.url)
        found = doctor.mcp()
        assert found.status == "ok", found
        assert f"at {stack.url}/mcp" in found.detail
        monkeypatch.setattr(doctor, "running_url", lambda: f"{stack.url}/nowhere")
        assert doctor.mcp().status == "failed"


class Talk:
    """An assistant that starts Archon's server as its child, and what it hears of a call while it waits."""

    def __init__(self, stack: Stack) -> None:
        self.errors = stack.folder / "stdio.log"
        self.command = StdioServerParameters(
            command=sys.executable,
            args=["-W", "error", "manage.py", "mcp", "--no-start"],
            env=stack.environment,
            cwd=ROOT,
        )
        self.told: list[float] = []
        self.lines: list[str] = []
        self.heard = asyncio.Event()

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        with self.errors.open("w") as errors:
            transport = stdio_client(self.command, errlog=errors)
            async with Client(transport, mode="legacy", logging_callback=self._on_log) as client:
                yield client

    async def call(self, client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await client.call_tool(tool, arguments, progress_callback=self._on_progress)
        return dict(result.structured_content or {})

    async def _on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.told.append(progress)
        self.heard.set()

    async def _on_log(self, params: Any) -> None:
        self.lines.append(params.data)


class TestStdio:
    def test_the_same_tools_over_stdin_and_stdout(self, stack: Stack) -> None:
        talk = Talk(stack)
        with served(4, delay=0.1) as example:
            asyncio.run(self._converse(talk, example.url))
            for running in stack.get("/api/progress/")["operations"]:
                assert stack.ended(running["progressId"])["status"] == "completed"
        logged(stack, "refresh_source", "the client went away")
        assert "Traceback" not in talk.errors.read_text()
        record = last_call(stack, "health_check")
        assert record is not None
        assert record["metadata"]["transport"] == "stdio"
        assert record["metadata"]["client_name"] == "mcp"

    async def _converse(self, talk: Talk, url: str) -> None:
        async with talk.client() as client:
            await self._asks_and_is_refused(client)
            source_id = await self._watches_a_crawl(talk, client, url)
            left = await self._leaves_in_the_middle_of_a_refresh(talk, client, source_id)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)

    async def _asks_and_is_refused(self, client: Client) -> None:
        health = await ask(client, "health_check")
        assert health["ready"], health
        assert "[query_empty]" in await refused(client, "search_knowledge", query=" ")
        assert "Unknown tool" in await refused(client, "drop_tables")
        assert "query_too_long" in await refused(client, "search_knowledge", query="x" * 2_000_000)
        facts = await ask(client, "session_info")
        assert facts["transport"] == "stdio"

    async def _watches_a_crawl(self, talk: Talk, client: Client, url: str) -> str:
        """To its end. The id of the source."""
        crawl = await talk.call(client, "start_crawl", url=url, wait_seconds=60)
        assert (crawl["status"], talk.lines) == ("completed", crawl["logs"])
        assert talk.told == sorted(set(talk.told))
        assert talk.told[-1] == 100
        sources = await client.read_resource("archon://sources")
        assert crawl["source_id"] in getattr(sources.contents[0], "text", "")
        return str(crawl["source_id"])

    async def _leaves_in_the_middle_of_a_refresh(
        self, talk: Talk, client: Client, source_id: str
    ) -> asyncio.Task[dict[str, Any]]:
        """The process ends with the client, the crawl does not. The call that it no longer waits for."""
        talk.heard.clear()
        call = asyncio.create_task(talk.call(client, "refresh_source", source_id=source_id, wait_seconds=60))
        await talk.heard.wait()
        return call
