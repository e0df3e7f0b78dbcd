"""What a session was given is known to every web process, outlives a restart, and may be lost without harm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from redis import Redis

from archon import limits
from archon.mcp import memory
from archon.mcp.memory import CallName, GivenPassages, Rememberer, SessionNotes, crawls_counted, may_crawl

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


class TestNotes:
    def test_the_level_and_a_cancel_are_known_to_the_other_process(self, redis: Redis) -> None:
        one, other = SessionNotes(django_settings.REDIS_URL), SessionNotes(django_settings.REDIS_URL)
        called = CallName.of(None, ZED.session_id, 7)
        assert (other.level(ZED), other.is_cancelled(called)) == (None, False)
        one.set_level(ZED, "error")
        one.cancel(called)
        assert (other.level(ZED), other.is_cancelled(called)) == ("error", True)
        assert 0 < redis.ttl(called.key) <= memory.CANCEL_SECONDS
        other.forget(ZED)
        assert one.level(ZED) is None

    def test_neither_another_account_nor_another_session_is_meant(self) -> None:
        notes, called = SessionNotes(django_settings.REDIS_URL), CallName.of(None, ZED.session_id, 7)
        notes.cancel(called)
        notes.set_level(ZED, "error")
        for stranger in ({"account": 1}, {"session_id": "zed_1_ffffffffffff"}):
            assert not notes.is_cancelled(called._replace(**stranger))
            assert notes.level(ZED._replace(**stranger)) is None

    def test_an_endless_request_id_makes_no_endless_key(self) -> None:
        assert len(CallName.of(None, ZED.session_id, "x" * 10_000).key) < 300
