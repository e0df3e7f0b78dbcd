"""One log, many cursors: in order, without holes or doubles, whatever the layer loses."""

from __future__ import annotations

import asyncio

import pytest

from progress import topic as topic_module
from progress.topic import LOG_FRAMES, Topic, parts_of, websocket_frame
from tests.progress.books import Book, take
from tests.progress.outlets import Tap


def topic_of(book: Book, *, base: int | None = 0) -> Topic:
    topic = Topic("t", book, gapless=True)
    if base is not None:
        topic.start_at(base)
    return topic


async def test_frames_in_order_reach_every_cursor() -> None:
    book = Book()
    topic = topic_of(book)
    cursors = [asyncio.create_task(take(topic, 0, 3)) for _ in range(3)]
    for sequence, text in book.write(3):
        topic.hear(sequence, text)
        await asyncio.sleep(0)
    assert await asyncio.gather(*cursors) == [book.frames] * 3
    assert book.reads == 0


async def test_a_hole_is_filled_from_the_source() -> None:
    book = Book(part=2)
    topic = topic_of(book)
    frames = book.write(9)
    topic.hear(*frames[0])
    topic.hear(*frames[8])
    assert await take(topic, 0, 9) == book.frames


async def test_doubles_and_late_news_are_dropped() -> None:
    book = Book()
    topic = topic_of(book)
    one, two, three = book.write(3)
    for frame in (one, one, three, two, three, one):
        topic.hear(*frame)
    assert await take(topic, 0, 3) == [one, two, three]
    assert [frame[0] for frame in topic.frames] == [1, 2, 3]


async def test_a_cursor_behind_the_log_reads_the_source() -> None:
    book = Book(part=100)
    topic = topic_of(book)
    for frame in book.write(LOG_FRAMES + 300):
        topic.hear(*frame)
    assert await take(topic, 0, len(book.frames)) == book.frames


async def test_a_cursor_that_starts_late_sees_only_what_follows() -> None:
    book = Book()
    topic = topic_of(book, base=None)
    frames = book.write(5)
    topic.hear(*frames[3])
    topic.hear(*frames[4])
    assert await take(topic, 4, 1) == [frames[4]]
    assert await take(topic, 2, 3) == frames[2:]


async def test_the_log_is_bounded_in_frames_and_in_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = topic_of(Book())
    for sequence in range(1, LOG_FRAMES + 50):
        topic.hear(sequence, "short")
    assert len(topic.frames) == LOG_FRAMES
    assert topic.floor == 49
    monkeypatch.setattr(topic_module, "LOG_CHARS", 1000)
    topic.hear(LOG_FRAMES + 50, "x" * 990)
    assert [len(text) for _, text in topic.frames] == [5, 5, 990]
    assert topic._chars == 1000


async def test_what_the_source_no_longer_has_is_a_hole_that_cursors_can_see() -> None:
    book = Book()
    topic = topic_of(book)
    frames = book.write(50)
    for frame in frames[:3]:
        topic.hear(*frame)
    outlet = Tap()
    riding = asyncio.create_task(topic.ride(outlet))
    await asyncio.sleep(0)
    del book.frames[:40]
    topic.hear(*frames[-1])
    async with asyncio.timeout(10):
        assert await riding == 3
    assert outlet.texts() == []
    assert await topic.batch_after(3) == frames[40:]
    assert await topic.batch_after(45) == frames[45:]


async def test_older_frames_that_were_read_are_shared() -> None:
    book = Book()
    topic = topic_of(book, base=20)
    frames = book.write(22)
    topic.hear(*frames[20])
    assert not topic.covers(10)
    topic.extend_back(frames[10:15])  # does not reach the log: of no use
    assert not topic.covers(10)
    topic.extend_back(frames[10:21])
    assert topic.covers(10)
    assert await topic.batch_after(10) == frames[10:21]
    assert book.reads == 0


async def test_frames_that_are_newer_than_the_log_leave_its_beginning_where_it_is() -> None:
    """A client that comes back ahead of this server's news reads what the log will hear in a moment."""
    book = Book()
    frames = book.write(30)
    topic = Topic("t", book, gapless=True)
    topic.append(frames[10:19])
    topic.extend_back(frames[20:25])
    topic.append(frames[19:30])
    topic.extend_back(frames[5:25])
    topic.extend_back(frames[:20])
    assert await take(topic, 0, 30) == frames


async def test_the_same_read_under_way_is_shared() -> None:
    topic = topic_of(Book())
    answers = asyncio.Queue[int]()
    reads = [asyncio.create_task(topic.read_once("x", answers.get)) for _ in range(3)]
    await asyncio.sleep(0)
    reads[0].cancel()  # the socket that began the read is gone: the others still get its answer
    await asyncio.sleep(0)
    answers.put_nowait(7)
    assert await asyncio.gather(*reads[1:]) == [7, 7]
    answers.put_nowait(8)
    assert await topic.read_once("x", answers.get) == 8


async def test_riders_are_written_to_once_per_turn_of_the_loop() -> None:
    book = Book()
    topic = topic_of(book)
    outlet = Tap()
    riding = asyncio.create_task(topic.ride(outlet))
    await asyncio.sleep(0)
    for frame in book.write(3):
        topic.hear(*frame)
    await asyncio.sleep(0)
    assert outlet.texts() == ["frame 1", "frame 2", "frame 3"]
    assert outlet.writes == 1
    riding.cancel()
    await asyncio.wait({riding})
    topic.hear(*book.write()[0])
    await asyncio.sleep(0)
    assert len(outlet.texts()) == 3


async def test_a_burst_is_written_in_parts() -> None:
    """Otherwise a stalled client would be given the whole burst before anybody looks at its buffer."""
    topic = topic_of(Book())
    outlet = Tap(stalled=True)
    riding = asyncio.create_task(topic.ride(outlet))
    await asyncio.sleep(0)
    for sequence in range(1, 501):
        topic.hear(sequence, "x" * 10_000)
    assert await riding < 50
    assert outlet.unsent() < topic_module.UNSENT_BYTES + 2 * topic_module.WRITE_CHARS


async def test_reach_waits_for_the_log_to_come_to_a_snapshot_that_is_newer() -> None:
    book = Book()
    topic = topic_of(book)
    frames = book.write(5)
    topic.hear(*frames[0])
    async with asyncio.timeout(10):
        await topic.reach(4)
    assert topic.last == 5
    waiting = asyncio.create_task(topic.reach(6))
    await asyncio.sleep(0)
    assert not waiting.done()
    topic.hear(*book.write()[0])
    async with asyncio.timeout(10):
        await waiting


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_are_framed_as_the_protocol_says(size: int) -> None:
    from websockets.frames import Frame as Reference
    from websockets.frames import Opcode

    assert websocket_frame("x" * size) == Reference(Opcode.TEXT, b"x" * size).serialize(mask=False)


def test_a_replay_leaves_in_parts() -> None:
    texts = ["x" * 30_000] * 10
    parts = list(parts_of(texts, size=len))
    assert [text for part in parts for text in part] == texts
    assert all(sum(map(len, part)) < topic_module.WRITE_CHARS + 30_001 for part in parts)
    assert list(parts_of([], size=len)) == []
