"""What a session was given is known to every web process, outlives a restart, and may be lost without harm."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from redis import Redis

from archon import limits
from archon.mcp import memory
from archon.mcp.memory import GivenPassages, Rememberer, crawls_counted, may_crawl
from tests.web import WebProcess, world

STORE = """
from tests.knowledge.pages import page, source, store
texts = [f"# Part {n}\\n\\nThe walrus of part {n} sleeps on ice." for n in range(9)]
store(source(), *[page(f"p{n}", text, f"Part {n}") for n, text in enumerate(texts)])
"""
ZED = Rememberer(None, "zed_1_0123456789ab")


def given_of(process: int) -> GivenPassages:
    """As another process would make it."""
    return GivenPassages(django_settings.REDIS_URL)


class TestGiven:
    def test_what_one_process_gave_the_other_knows(self, redis: Redis) -> None:
        given_of(1).give(ZED, [5, 7])
        assert given_of(2).given(ZED) == {5, 7}
        assert given_of(2).count(ZED) == 2
        assert 0 < redis.ttl(ZED.passages_key) <= memory.REMEMBERED_SECONDS
        given_of(2).forget(ZED)
        assert not given_of(1).given(ZED)

    def test_neither_another_account_nor_another_session_meets_it(self) -> None:
        given_of(1).give(ZED, [5])
        assert not given_of(1).given(ZED._replace(account=1))
        assert not given_of(1).given(ZED._replace(session_id="zed_1_ffffffffffff"))

    def test_without_a_session_nothing_is_remembered(self, redis: Redis) -> None:
        nameless = Rememberer(None, "", "editor_1")
        given_of(1).give(nameless, [5])
        assert not given_of(1).given(nameless)
        assert not redis.keys()

    def test_the_newest_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "PASSAGES_KEPT", 2)
        given = given_of(1)
        for passage in (5, 6, 7):
            given.give(ZED, [passage])
        assert given.given(ZED) == {6, 7}

    def test_without_redis_nothing_is_known_and_nothing_is_waited_for(self, caplog: pytest.LogCaptureFixture) -> None:
        given = GivenPassages("redis://127.0.0.1:1/0")
        for _ in range(3):
            given.give(ZED, [5])
            assert (given.given(ZED), given.count(ZED)) == (frozenset(), 0)
        assert len(caplog.records) == 1, "it is told once, and asked no more for a while"


class TestCrawls:
    @pytest.fixture(autouse=True)
    def own_counter(self) -> Iterator[None]:
        limits.counter.cache_clear()
        yield
        limits.counter.cache_clear()

    def test_the_processes_count_together(self, settings: Any) -> None:
        settings.MCP_CRAWLS_PER_HOUR = 2
        assert may_crawl(ZED)
        limits.counter.cache_clear()  # as another process begins
        assert crawls_counted(ZED) == 1
        assert [may_crawl(ZED), may_crawl(ZED)] == [True, False]
        assert may_crawl(ZED._replace(account=1))

    def test_a_client_without_a_session_is_counted_by_its_name(self, settings: Any) -> None:
        settings.MCP_CRAWLS_PER_HOUR = 1
        editor = Rememberer(None, "", "editor_1")
        assert [may_crawl(editor), may_crawl(editor), may_crawl(editor._replace(client="other"))] == [True, False, True]

    def test_none_may_be_allowed_at_all(self, settings: Any) -> None:
        settings.MCP_CRAWLS_PER_HOUR = 0
        assert (may_crawl(ZED), crawls_counted(ZED)) == (False, 0)


def call(web: WebProcess, session: str, tool: str, **arguments: Any) -> dict[str, Any]:
    """One call as a client makes it, to the process that a load balancer happened to choose."""
    params = {"name": tool, "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Mcp-Session-Id": session,
    }
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", "/mcp", json.dumps(body), headers)
        text = connection.getresponse().read().decode()
    (data,) = [line for line in text.splitlines() if line.startswith("data: {")]
    result = json.loads(data.removeprefix("data: "))["result"]
    assert not result["isError"], result
    return dict(result["structuredContent"])


@pytest.mark.both_databases
def test_whichever_process_answers_no_passage_is_told_twice() -> None:
    def told(web: WebProcess) -> tuple[set[str], set[str]]:
        """Of one search: passages with their text, and those only named."""
        found = call(web, "zed_1_0123456789ab", "search_knowledge", query="walrus", match_count=3)
        return {hit["id"] for hit in found["results"]}, {hit["id"] for hit in found["already_given"]}

    with world() as started:
        started.manage("shell", "-v0", "-c", STORE)
        one, other = started.web("one"), started.web("other")
        first, _ = told(one)
        second, named = told(other)
        assert len(first) == len(second) == 3
        assert named == first
        assert first.isdisjoint(second)
        one.stop()
        one = started.web("restarted")
        third, named = told(one)
        assert len(third) == 3
        assert third.isdisjoint(first | second)
        assert call(one, "zed_1_0123456789ab", "session_info")["passages_given"] == 9
