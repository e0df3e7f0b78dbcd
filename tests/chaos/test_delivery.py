"""Whatever dies, every client that comes back ends with the identical, complete, ordered history."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.chaos.followers import Follower, assert_whole, now_and_then
from tests.web import WebProcess, World, Writer

pytestmark = pytest.mark.both_databases

# What is promised while Redis is away.
LATEST_SECONDS = 5.0


async def ask(writer: Writer, verb: str, *arguments: Any) -> Any:
    return await asyncio.to_thread(writer.ask, verb, *arguments)


async def restarted(world: World, web: WebProcess, *, port: int) -> WebProcess:
    """The process dies as it stands, and another takes its port."""
    await asyncio.to_thread(web.kill)
    return await asyncio.to_thread(world.web, port=port)


async def test_the_web_process_is_killed_under_its_sockets(
    chaos: World, web: WebProcess, writer: Writer, progress_id: str, size: int
) -> None:
    followers = [Follower(lambda query: web.url(progress_id, query)).start() for _ in range(50 * size)]
    last = await ask(writer, "events", progress_id, 20)
    await asyncio.gather(*(follower.reached(last) for follower in followers))
    killing = asyncio.create_task(restarted(chaos, web, port=web.port))
    await ask(writer, "events", progress_id, 20)
    web = await killing
    await ask(writer, "end", progress_id)
    stored = await ask(writer, "stored", progress_id)
    for follower in followers:
        assert_whole(await follower.end(), stored)
        assert follower.connects >= 2
    await asyncio.to_thread(web.kill)


async def test_a_restart_says_so_and_sends_nobody_back_to_the_dying_process(
    chaos: World, writer: Writer, progress_id: str
) -> None:
    web = await asyncio.to_thread(chaos.web, "restarting")
    followers = [Follower(lambda query: web.url(progress_id, query)).start() for _ in range(20)]
    await asyncio.gather(*(follower.reached(1) for follower in followers))
    stopping = asyncio.create_task(asyncio.to_thread(web.stop))
    await stopping
    async with asyncio.timeout(10):
        await asyncio.gather(*(follower.was_closed.wait() for follower in followers))
    assert {follower.codes[0] for follower in followers} == {1012}
    assert all(follower.connects == 1 for follower in followers)
    web = await asyncio.to_thread(chaos.web, "restarting", port=web.port)
    await ask(writer, "end", progress_id)
    stored = await ask(writer, "stored", progress_id)
    for follower in followers:
        assert_whole(await follower.end(), stored)
    await asyncio.to_thread(web.kill)


@contextmanager
def redis_back_after(chaos: World, fault: str) -> Iterator[None]:
    """The block runs while Redis is away; a FLUSHALL is over before it begins."""
    if fault == "flushall":
        with chaos.redis() as redis:
            redis.flushall()
        yield
        return
    if fault == "hangs":
        chaos.signal_redis(signal.SIGSTOP)
    else:
        chaos.stop_redis()
    try:
        yield
    finally:
        if fault == "hangs":
            chaos.signal_redis(signal.SIGCONT)
        else:
            chaos.start_redis(empty=fault == "restarted empty")


@pytest.mark.parametrize("fault", ["flushall", "restarted", "restarted empty", "hangs"])
async def test_progress_moves_while_redis_is_away_and_sockets_open(
    chaos: World, web: WebProcess, writer: Writer, progress_id: str, fault: str
) -> None:
    before = Follower(lambda query: web.url(progress_id, query)).start()
    await before.reached(await ask(writer, "events", progress_id, 5))
    with redis_back_after(chaos, fault):
        during = Follower(lambda query: web.url(progress_id, query)).start()
        await during.reached(6)
        for _ in range(2):  # the first may be found by the early look at a new topic
            sequence, written = await ask(writer, "event", progress_id), time.monotonic()
            await asyncio.gather(before.reached(sequence), during.reached(sequence))
            assert time.monotonic() - written < LATEST_SECONDS
    async with asyncio.timeout(30):  # news is live again: faster than any poll
        while True:
            sequence, written = await ask(writer, "event", progress_id), time.monotonic()
            await asyncio.gather(before.reached(sequence), during.reached(sequence))
            if time.monotonic() - written < 0.3:
                break
    await ask(writer, "end", progress_id)
    stored = await ask(writer, "stored", progress_id)
    assert_whole(await before.end(), stored)
    assert_whole(await during.end(), stored)
    assert before.connects == during.connects == 1


async def test_news_may_come_twice_out_of_order_or_never(
    web: WebProcess, writer: Writer, progress_id: str, size: int
) -> None:
    follower = Follower(lambda query: web.url(progress_id, query)).start()
    await follower.reached(1)
    drawn = random.Random(7)
    for _ in range(10 * size):
        last = await ask(writer, "silently", progress_id, 5)
        numbers = [drawn.randint(1, last) for _ in range(12)]
        await ask(writer, "again", progress_id, numbers)
    await ask(writer, "end", progress_id)
    assert_whole(await follower.end(), await ask(writer, "stored", progress_id))


async def test_subscribing_races_every_update(web: WebProcess, writer: Writer, progress_id: str, size: int) -> None:
    """New sockets all the while, from the first update to the last and after it."""
    followers = []
    writing = asyncio.create_task(ask(writer, "events", progress_id, 40 * size, 200))
    while not writing.done():
        followers.append(Follower(lambda query: web.url(progress_id, query)).start())
        await asyncio.wait({writing}, timeout=0.005)
    ending = asyncio.create_task(ask(writer, "end", progress_id))
    while not ending.done():
        followers.append(Follower(lambda query: web.url(progress_id, query)).start())
        await asyncio.wait({ending}, timeout=0.001)
    followers.append(Follower(lambda query: web.url(progress_id, query)).start())
    stored = await ask(writer, "stored", progress_id)
    for follower in followers:
        assert_whole(await follower.end(), stored)
        assert follower.connects == 1


async def test_a_snapshot_goes_on_without_hole_or_double(web: WebProcess, writer: Writer, progress_id: str) -> None:
    """Sockets that do not ask for the past, opened while updates come: from their snapshot on nothing is missing."""

    async def watch() -> list[int]:
        async with asyncio.timeout(60), connect(web.url(progress_id)) as connection:
            numbers, status = [], ""
            while status != "completed":
                body = json.loads(await connection.recv())["data"]
                numbers.append(body["sequence"])
                status = body["status"]
            return numbers

    watching = []
    writing = asyncio.create_task(ask(writer, "events", progress_id, 40, 200))
    while not writing.done():
        watching.append(asyncio.create_task(watch()))
        await asyncio.wait({writing}, timeout=0.005)
    last = await ask(writer, "end", progress_id)
    for numbers in await asyncio.gather(*watching):
        assert numbers == list(range(numbers[0], last + 1))


async def test_who_comes_after_the_end_sees_all_of_it(web: WebProcess, writer: Writer, progress_id: str) -> None:
    await ask(writer, "events", progress_id, 10)
    await ask(writer, "end", progress_id)
    stored = await ask(writer, "stored", progress_id)
    assert_whole(await Follower(lambda query: web.url(progress_id, query)).start().end(), stored)
    async with asyncio.timeout(10), connect(web.url(progress_id)) as connection:
        assert json.loads(await connection.recv())["type"] == "crawl_completed"
    async with asyncio.timeout(10), connect(web.url(progress_id, "?since=11")) as connection:
        assert await connection.recv() == stored[-1]


async def test_aborting_clients_two_servers_and_two_kills(
    chaos: World, web: WebProcess, writer: Writer, progress_id: str, size: int
) -> None:
    """Clients cut their lines at random and come back to either server; each server is killed once."""
    servers = [web, await asyncio.to_thread(chaos.web, "second")]
    ports = [server.port for server in servers]
    drawn = random.Random(1)

    def anywhere(query: str) -> str:
        return web.url(progress_id, query).replace(f":{web.port}/", f":{drawn.choice(ports)}/")

    followers = [Follower(anywhere, abort_after=now_and_then(seed)).start() for seed in range(10 + size)]
    writing = asyncio.create_task(ask(writer, "events", progress_id, 300 * size, 100))
    for number in range(2):
        await followers[0].reached(100 * size * (number + 1))
        servers[number] = await restarted(chaos, servers[number], port=ports[number])
    await writing
    await ask(writer, "end", progress_id)
    stored = await ask(writer, "stored", progress_id)
    for follower in followers:
        assert_whole(await follower.end(), stored)
    assert sum(follower.connects for follower in followers) > 10 * len(followers) * size
    for server in servers:
        await asyncio.to_thread(server.kill)
