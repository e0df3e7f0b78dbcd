"""The life of a socket: what it is sent, in which order, what it survives, and how it is closed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest
from channels.testing import WebsocketCommunicator
from django.test.utils import override_settings

from progress import consumers, crowd
from progress.consumers import StreamConsumer, parse
from progress.flood import INPUT_BURST, INPUTS_PER_SECOND
from progress.history import Frames
from progress.hub import hub
from progress.topic import UNSENT_BYTES, WRITE_CHARS, Source, Topic
from progress.viewer import OPERATOR, Viewer
from tests.progress.books import Book
from tests.progress.outlets import Tap, extension

END = 5


class BookConsumer(StreamConsumer):
    """A stream whose truth is a Book; tests may hold its snapshot back."""

    book: ClassVar[Book]
    # Awaited before the snapshot is read, and after it was.
    before: ClassVar[asyncio.Event]
    after: ClassVar[asyncio.Event]
    allowed: ClassVar[bool] = True

    async def topic(self) -> str:
        return "book"

    def source(self) -> Source:
        return self.book

    async def may_subscribe(self) -> bool:
        return self.allowed

    async def first_frames(self) -> Frames:
        await self.before.wait()
        position = self.book.frames[-1][0] if self.book.frames else 0
        await self.after.wait()
        return Frames([f"snapshot {position}"], position)


@pytest.fixture
async def book() -> AsyncIterator[Book]:
    BookConsumer.book = Book()
    BookConsumer.before, BookConsumer.after = asyncio.Event(), asyncio.Event()
    BookConsumer.before.set()
    BookConsumer.after.set()
    yield BookConsumer.book
    await hub().close()


@pytest.fixture(params=["outlet", "send"])
def outlet(request: pytest.FixtureRequest) -> Tap | None:
    """Both ways to a socket: written to directly, and awaited as on any ASGI server."""
    return Tap() if request.param == "outlet" else None


class Client:
    """A socket of BookConsumer and everything it received."""

    def __init__(self, outlet: Tap | None = None, query: str = "") -> None:
        self.outlet = outlet
        self.socket = WebsocketCommunicator(BookConsumer.as_asgi(), f"/book{query}")
        self.socket.scope["extensions"] = extension(outlet) if outlet else {}
        self.sent: list[str] = []

    async def open(self) -> None:
        connected, code = await self.socket.connect(timeout=5)
        assert connected, code

    async def until(self, enough: Callable[[list[str]], bool]) -> list[str]:
        """Texts received, as soon as they are enough."""
        async with asyncio.timeout(5):
            while not enough(self.texts()):
                if self.outlet is None:
                    self.sent.append(await self.socket.receive_from(timeout=5))
                else:
                    await asyncio.sleep(0)  # an outlet is written to, it does not wake anybody
        return self.texts()

    def texts(self) -> list[str]:
        return self.sent + (self.outlet.texts() if self.outlet else [])

    async def close_code(self) -> int:
        while (message := await self.socket.receive_output(timeout=5))["type"] != "websocket.close":
            pass
        return int(message["code"])


async def joined() -> Topic:
    """The topic, as soon as a socket has joined it."""
    topic = await hub().join("book", lambda: BookConsumer.book)  # the socket has, or is about to
    await hub().leave(topic)
    return topic


# ---- snapshot and live frames ----


@pytest.mark.parametrize("known", [0, 2, END - 1, END])
@pytest.mark.parametrize("heard_during", ["", "before", "after"])
async def test_a_snapshot_and_the_live_frames_meet_without_hole_or_double(
    book: Book, outlet: Tap | None, known: int, heard_during: str
) -> None:
    """`known` events when the socket joins; the next one commits and is heard before or after the snapshot
    is read, while it is on its way; the rest follows, the news of one of them twice."""
    book.write(known)
    if heard_during:
        getattr(BookConsumer, heard_during).clear()
    client = Client(outlet)
    await client.open()
    topic = await joined()
    if heard_during:
        for frame in book.write(1) if known < END else book.frames[-1:]:
            topic.hear(*frame)
        await asyncio.sleep(0)
        getattr(BookConsumer, heard_during).set()
    first, *_ = await client.until(bool)
    position = int(first.removeprefix("snapshot "))
    for frame in book.write(END + 1 - len(book.frames)):
        topic.hear(*frame)
        topic.hear(*frame)
    texts = await client.until(lambda texts: texts[-1:] == [f"frame {END + 1}"])
    assert texts == [first, *(f"frame {sequence}" for sequence in range(position + 1, END + 2))]


async def test_a_snapshot_newer_than_the_news_is_not_told_again(book: Book, outlet: Tap | None) -> None:
    """A socket that joins between the commit and the news of it: the terminal frame must not come twice."""
    first = Client(Tap())
    await first.open()
    await first.until(bool)
    topic = await joined()
    book.write(END)  # committed, and nobody has heard of it
    second = Client(outlet)
    await second.open()
    await second.until(bool)
    for frame in book.frames:
        topic.hear(*frame)
    for frame in book.write(1):
        topic.hear(*frame)
    await second.until(lambda texts: f"frame {END + 1}" in texts)
    await first.until(lambda texts: f"frame {END + 1}" in texts)
    assert second.texts() == [f"snapshot {END}", f"frame {END + 1}"]
    assert first.texts() == ["snapshot 0", *(f"frame {sequence}" for sequence in range(1, END + 2))]


async def test_what_is_no_longer_kept_is_answered_by_the_present(book: Book, outlet: Tap | None) -> None:
    client = Client(outlet)
    await client.open()
    await client.until(bool)
    topic = await joined()
    book.write(9)
    del book.frames[:8]
    topic.hear(10, "news ahead of what is kept")
    book.frames.append((10, "frame 10"))
    texts = await client.until(lambda texts: len(texts) > 1)
    assert texts == ["snapshot 0", "snapshot 10"]


# ---- what a client may send ----


async def test_pings_are_answered_and_nonsense_is_survived(book: Book) -> None:
    client = Client()
    await client.open()
    await client.until(bool)
    for nonsense in ("{", "[]", "null", '{"type":"unknown"}', "ünïcode", "[" * 5000, '"ping"', "1e999"):
        await client.socket.send_to(text_data=nonsense)
    await client.socket.send_to(bytes_data=b"\x00\xff")
    for ping in ("ping", " ping\n", '{"type": "ping"}'):
        await client.socket.send_to(text_data=ping)
        assert json.loads(await client.socket.receive_from()) == {"type": "pong"}
    await client.socket.disconnect()


async def test_a_flood_is_closed_and_what_follows_is_not_looked_at(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []

    async def hear(self: StreamConsumer, message: dict[str, Any]) -> None:
        heard.append(message)

    monkeypatch.setattr(StreamConsumer, "heard", hear)
    client = Client()
    await client.open()
    for number in range(INPUT_BURST * 2):
        await client.socket.send_to(text_data=json.dumps({"type": "subscribe", "number": number}))
    assert await client.close_code() == 1008
    await client.socket.disconnect()
    assert len(heard) < INPUT_BURST


async def test_a_steady_client_is_not_taken_for_a_flood(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = time.monotonic()
    monkeypatch.setattr("progress.consumers.time.monotonic", lambda: clock)
    client = Client()
    await client.open()
    await client.until(bool)
    for _ in range(INPUT_BURST * 3):
        clock += 1.2 / INPUTS_PER_SECOND
        await client.socket.send_to(text_data="ping")
        assert "pong" in await client.socket.receive_from()
    await client.socket.disconnect()


async def test_heartbeats_come_after_silence_only(book: Book) -> None:
    with override_settings(HEARTBEAT_SECONDS=0.1):
        client = Client()
        await client.open()
        await client.until(bool)
        for _ in range(2):
            assert json.loads(await client.socket.receive_from(timeout=5)) == {"type": "heartbeat"}
        await client.socket.disconnect()


# ---- refusals and closes ----


async def test_who_may_not_subscribe_is_refused_before_the_socket_opens(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BookConsumer, "allowed", False)
    assert await Client().socket.connect() == (False, 4403)
    assert hub().topics == {}


async def test_a_client_has_so_many_sockets_and_no_more(book: Book) -> None:
    with override_settings(SOCKETS_PER_CLIENT=2):
        first, second, third, fourth = (Client() for _ in range(4))
        await first.open()
        await second.open()
        assert await third.socket.connect() == (False, 1013)
        await third.socket.wait()
        await first.socket.disconnect()
        await fourth.open()
        for client in (second, fourth):
            await client.socket.disconnect()
    assert not crowd._open


def test_sockets_are_counted_by_account_else_by_address() -> None:
    assert crowd.client_of(Viewer(7), "10.0.0.1") == "user 7"
    assert crowd.client_of(OPERATOR, "10.0.0.1") == "10.0.0.1"
    assert crowd.client_of(OPERATOR, None) == "local socket"


async def test_a_stream_that_fails_is_closed_so_that_the_client_comes_back(
    book: Book, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(self: StreamConsumer) -> Frames:
        raise ConnectionError("the database is away")

    monkeypatch.setattr(BookConsumer, "first_frames", fails)
    client = Client()
    await client.open()
    assert await client.close_code() == 1011
    assert "the database is away" in caplog.text
    await client.socket.disconnect()


async def test_a_client_that_takes_nothing_is_put_off_then_closed(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(consumers, "DRAIN_LOOK_SECONDS", 0.01)
    slow, healthy = Client(Tap(stalled=True)), Client(Tap())
    await slow.open()
    await healthy.open()
    await healthy.until(bool)
    await slow.until(bool)
    topic = await joined()
    long = "x" * 10_000
    for sequence in range(1, 501):
        book.frames.append((sequence, long))
        topic.hear(sequence, long)
        await asyncio.sleep(0)
    assert await slow.close_code() == 1013
    assert slow.outlet is not None
    assert slow.outlet.unsent() < UNSENT_BYTES + 2 * WRITE_CHARS
    assert len(await healthy.until(lambda texts: len(texts) == 501)) == 501
    for client in (slow, healthy):
        await client.socket.disconnect()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_client_that_was_put_off_is_not_written_to_although_it_is_up_to_date(book: Book) -> None:
    client = Client(Tap(stalled=True))
    await client.open()
    await client.until(bool)
    topic = await joined()
    assert client.outlet is not None
    await settled()
    for sequence in range(1, 20):
        book.frames.append((sequence, "x" * (UNSENT_BYTES + 1 if sequence == 1 else 10_000)))
        topic.hear(*book.frames[-1])
        await settled()
    assert len(client.texts()) == 2  # the snapshot, and the frame that was too much
    client.outlet.stalled = False
    assert len(await client.until(lambda texts: len(texts) == 20)) == 20
    await client.socket.disconnect()


async def test_a_consumer_that_sends_by_itself_waits_for_its_client_too(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def follow(self: StreamConsumer, topic: Topic, position: int) -> None:
        async for batch in topic.follow(position):
            await self.send(batch[-1][1])

    monkeypatch.setattr(BookConsumer, "follow", follow)
    monkeypatch.setattr(consumers, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(consumers, "DRAIN_LOOK_SECONDS", 0.01)
    tap = Tap(stalled=True)
    client = Client(tap)
    await client.open()
    await client.until(bool)
    tap.write(b"x" * (UNSENT_BYTES + 1))
    (await joined()).hear(*book.write()[0])
    assert (await client.socket.receive_output(timeout=5))["code"] == 1013
    await client.socket.disconnect()


async def test_a_slow_client_that_drains_in_time_misses_nothing(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "DRAIN_LOOK_SECONDS", 0.01)
    client = Client(Tap(stalled=True))
    await client.open()
    await client.until(bool)
    topic = await joined()
    assert client.outlet is not None
    for sequence in range(1, 1001):
        book.frames.append((sequence, f"{sequence} " + "x" * 5_000))
        topic.hear(*book.frames[-1])
        await asyncio.sleep(0)
    client.outlet.stalled = False
    texts = await client.until(lambda texts: len(texts) == 1001)
    assert [int(text.split()[0]) for text in texts[1:]] == list(range(1, 1001))
    await client.socket.disconnect()


async def test_what_tells_nothing_new_is_not_sent_to_who_takes_nothing(book: Book) -> None:
    tap = Tap(stalled=True)
    client = Client(tap)
    await client.open()
    await client.until(bool)
    tap.write(b"x" * (UNSENT_BYTES + 1))
    await client.socket.send_to(text_data="ping")
    assert await client.socket.receive_nothing(timeout=0.1)
    await client.socket.disconnect()


async def test_a_socket_that_is_gone_leaves_nothing(book: Book, outlet: Tap | None) -> None:
    before = asyncio.all_tasks()
    client = Client(outlet)
    await client.open()
    await client.until(bool)
    life = hub()._life
    await client.socket.disconnect()
    assert hub().topics == {}
    async with asyncio.timeout(5):
        assert life is not None
        await asyncio.wait({life})
        if left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
    assert not crowd._open


# ---- small parts ----


@pytest.mark.parametrize(
    ("since", "number"), [("7", 7), ("0", 0), ("", None), ("x", None), ("-1", None), ("9" * 40, None)]
)
def test_since_is_a_number_or_not_there(since: str, number: int | None) -> None:
    assert consumers.since_of(f"since={since}".encode()) == number


def test_only_objects_are_messages() -> None:
    assert parse('{"a": 1}') == {"a": 1}
    assert parse("[1]") == parse(None) == parse("{") == {}
