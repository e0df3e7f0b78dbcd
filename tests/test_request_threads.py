"""Requests take threads in turn, and leave them free."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from archon.request_threads import KEPT, RequestThreads
from tests.stack import eventually
from tests.web import world

Work = Callable[[], Awaitable[object]]


async def ask(threads: RequestThreads, work: Work) -> None:
    await threads({"type": "http", "work": work}, None, None)


@pytest.fixture
def threads() -> Iterator[RequestThreads]:
    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await scope["work"]()

    made = RequestThreads(application)
    yield made
    while made._idle:  # the last one may come back while these are shut down
        made._idle.pop().shutdown()


async def thread_of(threads: RequestThreads) -> int:
    found: list[int] = []

    async def look() -> None:
        found.append(await sync_to_async(threading.get_ident)())

    await ask(threads, look)
    return found[0]


async def until_idle(threads: RequestThreads, count: int) -> None:
    await asyncio.to_thread(eventually, lambda: len(threads._idle) >= count, what=f"{count} idle threads")


async def test_one_request_after_another_has_the_same_thread(threads: RequestThreads) -> None:
    first = await thread_of(threads)
    await until_idle(threads, 1)
    assert await thread_of(threads) == first


async def test_requests_at_once_have_threads_of_their_own_and_not_all_are_kept(threads: RequestThreads) -> None:
    at_once = KEPT + 3
    together = threading.Barrier(at_once, timeout=20)
    await asyncio.gather(*(ask(threads, sync_to_async(together.wait)) for _ in range(at_once)))
    await until_idle(threads, KEPT)
    await thread_of(threads)
    await until_idle(threads, KEPT)
    assert len(threads._idle) == KEPT


async def test_a_client_that_leaves_its_work_behind_keeps_nobody_waiting(threads: RequestThreads) -> None:
    begun, over = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        over.wait(20)

    left = asyncio.create_task(ask(threads, lambda: asyncio.shield(asyncio.ensure_future(sync_to_async(slow)()))))
    await asyncio.to_thread(begun.wait, 20)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    try:
        async with asyncio.timeout(10):
            await thread_of(threads)
    finally:
        over.set()
    await until_idle(threads, 2)


async def test_what_a_request_began_goes_on_after_it(threads: RequestThreads) -> None:
    go, going = asyncio.Event(), []

    async def later() -> int:
        await go.wait()
        return await sync_to_async(threading.get_ident)()

    async def begin() -> None:
        going.append(asyncio.create_task(later()))

    await ask(threads, begin)
    go.set()
    assert await going[0] != threading.get_ident()


@pytest.mark.both_databases
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite does not count who connects")
def test_a_hundred_requests_connect_once() -> None:
    with ExitStack() as held:
        started = held.enter_context(world())
        client = http.client.HTTPConnection("127.0.0.1", started.web().port, timeout=20)
        held.enter_context(closing(client))

        def get() -> None:
            client.request("GET", "/api/knowledge-items")
            answer = client.getresponse()
            assert answer.read()
            assert answer.status == 200

        get()
        before = sessions(started.environment["DATABASE_URL"])
        for _ in range(100):
            get()
        # One more is the look itself.
        assert sessions(started.environment["DATABASE_URL"]) - before <= 3


def sessions(url: str) -> int:
    import psycopg

    with psycopg.connect(url) as looking:
        row = looking.execute("SELECT sessions FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert row is not None
    return int(row[0])
