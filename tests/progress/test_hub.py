"""One subscription per topic; it comes with the first follower, survives the layer, and ends with the last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from channels.layers import get_channel_layer

from progress import hub as hub_module
from progress.groups import group_name
from progress.hub import Hub
from progress.topic import Frame
from tests.progress.books import Book, take


@pytest.fixture
async def live_hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 0.1)
    hub = Hub()
    yield hub
    await hub.close()


async def send(topic: str, frame: Frame) -> None:
    layer = get_channel_layer()
    assert layer is not None
    message = {"type": "news", "topic": topic, "sequence": frame[0], "text": frame[1]}
    await layer.group_send(group_name(topic), message)


async def ended(hub: Hub) -> None:
    async with asyncio.timeout(10):
        assert hub._life is not None
        await asyncio.wait({hub._life})


async def test_news_crosses_the_layer_once_per_topic(live_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 60)
    monkeypatch.setattr(hub_module, "EARLY_LOOK_SECONDS", 60)
    book = Book()
    first = await live_hub.join("one", lambda: book)
    again = await live_hub.join("one", lambda: Book())
    assert first is again
    first.start_at(0)
    (frame,) = book.write()
    await send("one", frame)
    assert await take(first, 0, 1) == [frame]
    assert book.reads == 0


async def test_what_the_layer_never_carried_is_found_by_the_poll(live_hub: Hub) -> None:
    book = Book()
    topic = await live_hub.join("silent", lambda: book)
    topic.start_at(0)
    frames = book.write(3)
    assert await take(topic, 0, 3) == frames


async def test_a_source_that_fails_is_asked_again(live_hub: Hub) -> None:
    book = Book(failures=2)
    topic = await live_hub.join("flaky", lambda: book)
    topic.start_at(0)
    frames = book.write(1)
    assert await take(topic, 0, 1) == frames


async def test_a_topic_whose_numbers_have_gaps_is_read_from_its_source(live_hub: Hub) -> None:
    book = Book()
    topic = await live_hub.join("rows", lambda: book, gapless=False)
    topic.start_at(0)
    book.frames = [(3, "three"), (7, "seven")]
    await send("rows", (7, ""))
    assert await take(topic, 0, 2) == book.frames


async def test_nothing_is_left_when_the_last_follower_leaves(live_hub: Hub) -> None:
    before = asyncio.all_tasks()
    topics = [await live_hub.join(f"topic {number % 3}", Book) for number in range(9)]
    for topic in topics:
        await live_hub.leave(topic)
    await ended(live_hub)
    await asyncio.gather(*live_hub._looks)
    assert live_hub.topics == {}
    assert asyncio.all_tasks() == before
    layer = get_channel_layer()
    assert layer is not None
    assert (layer.channels, layer.groups) == ({}, {})


async def test_a_topic_that_is_left_and_joined_again_at_once_is_heard(
    live_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 60)
    monkeypatch.setattr(hub_module, "EARLY_LOOK_SECONDS", 60)
    book = Book()
    other = await live_hub.join("other", Book)
    for _ in range(5):
        topic = await live_hub.join("back", lambda: book)
        await live_hub.leave(topic)
    topic = await live_hub.join("back", lambda: book)
    topic.start_at(0)
    (frame,) = book.write()
    await send("back", frame)
    assert await take(topic, 0, 1) == [frame]
    await live_hub.leave(other)


async def test_a_socket_that_closes_while_it_joins_leaves_no_topic(live_hub: Hub) -> None:
    joining = asyncio.create_task(live_hub.join("short", Book))
    await asyncio.sleep(0)
    assert list(live_hub.topics) == ["short"]
    joining.cancel()
    await asyncio.wait({joining})
    assert live_hub.topics == {}
    await ended(live_hub)


async def test_a_layer_that_fails_is_taken_up_again(live_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.05)
    working, failures = get_channel_layer, 3

    def failing() -> object:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise ConnectionError("Redis is away")
        return working()

    monkeypatch.setattr(hub_module, "get_channel_layer", failing)
    book = Book()
    topic = await live_hub.join("patient", lambda: book)
    topic.start_at(0)
    async with asyncio.timeout(10):
        await topic.subscribed.wait()
    assert failures < 0
    (frame,) = book.write()
    await send("patient", frame)
    assert await take(topic, 0, 1) == [frame]


async def test_a_subscription_that_went_deaf_is_renewed(live_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layer's side forgets everything without an error, as a half-open connection does."""
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.5)
    monkeypatch.setattr(hub_module, "ECHO_SECONDS", 0.2)
    book = Book(silent=True)
    topic = await live_hub.join("deaf", lambda: book)
    topic.start_at(0)
    layer = get_channel_layer()
    assert layer is not None
    for shard in layer._shards:
        await shard._pubsub.unsubscribe()
    heard = asyncio.create_task(take(topic, 0, 1))
    (frame,) = book.write()
    async with asyncio.timeout(10):
        while not heard.done():  # until the subscription is back nobody hears it
            await send("deaf", frame)
            await asyncio.wait({heard}, timeout=0.1)
    assert heard.result() == [frame]
