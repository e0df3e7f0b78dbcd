"""One session, two web processes: whichever a load balancer chooses, the session is the same."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.web import WebProcess, World, world

# The pair of processes takes longer to start than all of the tests.
pytestmark = [pytest.mark.both_databases, pytest.mark.xdist_group("mcp_processes")]

STORE = """
from tests.knowledge.pages import page, source, store
texts = [f"# Part {n}\\n\\nThe walrus of part {n} sleeps on ice." for n in range(9)]
store(source(), *[page(f"p{n}", text, f"Part {n}") for n, text in enumerate(texts)])
"""
SESSION = "zed_1_0123456789ab"


class Pair(NamedTuple):
    world: World
    one: WebProcess
    other: WebProcess


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with world() as started:
        started.manage("shell", "-v0", "-c", STORE)
        yield Pair(started, started.web("one"), started.web("other"))


@contextlib.contextmanager
def sent(web: WebProcess, method: str, *, session: str = SESSION, **message: Any) -> Iterator[http.client.HTTPResponse]:
    """One request as a client makes it; its answer may still be coming."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Mcp-Session-Id": session,
    }
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", "/mcp", json.dumps({"jsonrpc": "2.0", "method": method, **message}), headers)
        yield connection.getresponse()


def messages(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """Each as it comes."""
    for line in response:
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: "))


def call(web: WebProcess, tool: str, **arguments: Any) -> dict[str, Any]:
    with sent(web, "tools/call", id=1, params={"name": tool, "arguments": arguments}) as response:
        (answer,) = messages(response)
    assert not answer["result"]["isError"], answer
    return dict(answer["result"]["structuredContent"])


@contextlib.contextmanager
def waiting(web: WebProcess, number: int) -> Iterator[Iterator[dict[str, Any]]]:
    """A crawl that nobody works on, and a caller who waits for it; what it is told."""
    params = {
        "name": "start_crawl",
        "arguments": {"url": f"http://127.0.0.1:9/{number}/", "wait_seconds": 60},
        "_meta": {"progressToken": number},
    }
    with sent(web, "tools/call", id=number, params=params) as response:
        yield messages(response)


def cancel(web: WebProcess, number: int, session: str = SESSION) -> None:
    with sent(web, "notifications/cancelled", session=session, params={"requestId": number}) as response:
        assert response.status == 202


def test_no_passage_is_told_twice(pair: Pair) -> None:
    def told(web: WebProcess) -> tuple[set[str], set[str]]:
        """Of one search: passages with their text, and those only named."""
        found = call(web, "search_knowledge", query="walrus", match_count=3)
        return {hit["id"] for hit in found["results"]}, {hit["id"] for hit in found["already_given"]}

    first, _ = told(pair.one)
    second, named = told(pair.other)
    assert len(first) == len(second) == 3
    assert named == first
    assert first.isdisjoint(second)
    restarted = pair.world.web("restarted")
    third, named = told(restarted)
    assert len(third) == 3
    assert third.isdisjoint(first | second)
    assert call(restarted, "session_info")["passages_given"] == 9
    restarted.stop()


def test_a_cancel_reaches_the_call_that_another_process_answers(pair: Pair) -> None:
    with waiting(pair.one, 71) as told:
        assert next(told)["method"].startswith("notifications/"), "it waits"
        cancel(pair.other, 71, session="zed_1_ffffffffffff")  # of another session: nobody's
        cancel(pair.other, 72)
        cancel(pair.other, 71)
        *_, last = told
    assert (last["id"], last["error"]["code"]) == (71, -32800)
    assert call(pair.one, "get_crawl_status")["count"] >= 1, "only the wait has ended"


def test_a_cancel_that_overtakes_its_call_is_found_by_it(pair: Pair) -> None:
    cancel(pair.other, 81)
    with waiting(pair.one, 81) as told:
        *_, last = told
    assert (last["id"], last["error"]["code"]) == (81, -32800)


@pytest.mark.parametrize(("level", "lines"), [("error", False), ("debug", True)])
def test_the_log_level_holds_in_the_process_that_did_not_hear_it(pair: Pair, level: str, lines: bool) -> None:
    number = 90 + lines
    wanted = {"notifications/progress", *(["notifications/message"] if lines else [])}
    methods = set()
    with sent(pair.other, "logging/setLevel", id=5, params={"level": level}) as response:
        assert next(messages(response))["result"] == {}
    with waiting(pair.one, number) as told:
        for message in told:
            methods.add(message.get("method"))
            if wanted <= methods:
                cancel(pair.other, number)
    assert wanted <= methods
    assert ("notifications/message" in methods) is lines
