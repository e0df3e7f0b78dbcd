"""The shared log of one topic: encoded once, followed by many sockets, each a cursor on it.

A fast cursor follows the log, one that fell behind its start reads the source. Sequences are
gap-free, so a hole means that news was lost; it is filled from the source.

On a server that offers an outlet (archon/web.py) a socket that is up to date *rides*: new frames
are made into bytes once and written straight to it, without a task per socket. One that stops
reading is put off; its consumer lets it ride again once it has drained.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from itertools import takewhile
from typing import Any, NamedTuple, Protocol, TypeVar

from progress import metrics

logger = logging.getLogger(__name__)

LOG_FRAMES = 512
LOG_CHARS = 4 * 2**20
# More than this in a socket's buffer and it is no longer written to until it has drained.
UNSENT_BYTES = 256 * 1024
# Frames that arrive together leave together, up to this: a burst may not outgrow UNSENT_BYTES unseen.
WRITE_CHARS = 64 * 1024

Frame = tuple[int, str]
T = TypeVar("T")


class Source(Protocol):
    """Where a topic's truth is. Both are awaited often and by few: reads are cheap and bounded."""

    async def after(self, sequence: int) -> list[Frame]:
        """Frames after `sequence`, gap-free and in order; a part of them if there are many."""

    async def latest(self) -> int:
        """The newest sequence there is."""


class Outlet(Protocol):
    """A socket that can be written to without awaiting: bytes of whole WebSocket frames."""

    def write(self, frames: bytes) -> int:
        """Returns the bytes that the client has not taken yet."""

    def unsent(self) -> int:
        """Bytes that the client has not taken yet."""


class Rider(NamedTuple):
    outlet: Outlet
    # Resolves to the position the socket was brought to when it is put off.
    put_off: asyncio.Future[int]


def websocket_frame(text: str) -> bytes:
    """An unmasked text frame as a server sends it: RFC 6455, section 5.2."""
    payload = text.encode("utf-8")
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 2**16:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


def parts_of(items: Iterable[T], *, size: Callable[[T], int]) -> Iterator[list[T]]:
    """Of about WRITE_CHARS each."""
    part: list[T] = []
    chars = 0
    for item in items:
        part.append(item)
        chars += size(item)
        if chars > WRITE_CHARS:
            yield part
            part, chars = [], 0
    if part:
        yield part


class Topic:
    """It holds every frame after `floor`: at first the sequence of the first snapshot somebody took.

    A topic with gaps in its numbers (`gapless=False`: row ids, revisions) is fed from its source
    alone; the news only says that there is something to read.
    """

    def __init__(self, name: str, source: Source, *, gapless: bool) -> None:
        self.name = name
        self.source = source
        self.gapless = gapless
        self.frames: deque[Frame] = deque()
        self.floor: int | None = None
        self.followers = 0
        self.subscribed = asyncio.Event()
        self._chars = 0
        self._heard = 0
        self._healing: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._readings: dict[object, asyncio.Future[Any]] = {}
        self._riders: dict[Outlet, Rider] = {}
        self._unwritten: list[Frame] = []
        self._unwritten_chars = 0

    @property
    def last(self) -> int | None:
        return self.frames[-1][0] if self.frames else self.floor

    def start_at(self, sequence: int) -> None:
        if self.floor is None:
            self.floor = sequence

    def covers(self, position: int) -> bool:
        """Whether a cursor at `position` finds everything after it in the log."""
        return self.floor is not None and self.last is not None and self.floor <= position <= self.last

    async def read_once(self, what: object, read: Callable[[], Awaitable[T]]) -> T:
        """The answer of `read`, shared with all who ask for the same while it is under way."""
        reading = self._readings.get(what)
        if reading is None:
            reading = self._readings[what] = asyncio.ensure_future(read())
            reading.add_done_callback(lambda _: self._readings.pop(what))
        answer: T = await asyncio.shield(reading)
        return answer

    def extend_back(self, frames: list[Frame]) -> None:
        """Take up older frames that somebody had to read, so that the next one need not: storms ask alike.

        Only those that end where the log begins. One who asked ahead of the news read none of them.
        """
        if self.floor is None or not frames or not frames[0][0] <= self.floor <= frames[-1][0]:
            return
        older = [frame for frame in frames if frame[0] <= self.floor]
        if len(older) + len(self.frames) > LOG_FRAMES:
            return
        self.frames.extendleft(reversed(older))
        self._chars += sum(len(text) for _, text in older)
        self.floor = frames[0][0] - 1

    def hear(self, sequence: int, text: str) -> None:
        """News from the layer: the next in line is appended, an old one dropped, a hole filled first."""
        last = self.last
        if not self.gapless:
            if last is not None:  # before the first snapshot there is nothing to be late for
                self.heal_to(max(sequence, last + 1))
        elif last is None or sequence == last + 1:
            self.append([(sequence, text)])
        elif sequence > last:
            self.heal_to(sequence)

    def append(self, frames: list[Frame]) -> None:
        first = frames[0][0]
        if self.floor is None:
            self.floor = first - 1
        elif self.gapless and first - 1 != self.last:
            self._restart_at(first - 1)
        self.frames.extend(frames)
        added = sum(len(text) for _, text in frames)
        self._chars += added
        self._trim()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if self._riders:
            self._write_soon(frames, added)

    def _restart_at(self, sequence: int) -> None:
        """The source no longer has what comes next: every cursor must go to it, and sees that for itself."""
        self._write()
        for rider in list(self._riders.values()):
            self._put_off(rider, self.last or 0)
        self.frames.clear()
        self._chars = 0
        self.floor = sequence

    def _trim(self) -> None:
        while len(self.frames) > LOG_FRAMES or (self._chars > LOG_CHARS and len(self.frames) > 1):
            self.floor, text = self.frames.popleft()
            self._chars -= len(text)

    async def ride(self, outlet: Outlet) -> int:
        """Be written to from now on; the caller is where the log ends. Returns the position where it was put off."""
        self._write()  # what waits to be written is not meant for this one
        rider = Rider(outlet, asyncio.get_running_loop().create_future())
        self._riders[outlet] = rider
        try:
            return await rider.put_off
        finally:
            self._riders.pop(outlet, None)

    def _write_soon(self, frames: list[Frame], chars: int) -> None:
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._write)
        self._unwritten += frames
        self._unwritten_chars += chars
        if self._unwritten_chars > WRITE_CHARS:
            self._write()

    def _write(self) -> None:
        if not self._unwritten:
            return
        frames, self._unwritten, self._unwritten_chars = self._unwritten, [], 0
        encoded = b"".join(websocket_frame(text) for _, text in frames)
        metrics.written(len(frames), len(encoded), sockets=len(self._riders))
        for rider in list(self._riders.values()):
            if rider.outlet.write(encoded) > UNSENT_BYTES:
                self._put_off(rider, frames[-1][0])

    def _put_off(self, rider: Rider, position: int) -> None:
        self._riders.pop(rider.outlet, None)
        if not rider.put_off.done():
            rider.put_off.set_result(position)

    def heal_to(self, sequence: int) -> None:
        """Read the source until `sequence` is in the log; one read at a time."""
        self._heard = max(self._heard, sequence)
        if self._healing is None or self._healing.done():
            self._healing = asyncio.create_task(self._heal())

    async def _heal(self) -> None:
        try:
            while (self.last or 0) < self._heard:
                frames = [frame for frame in await self.source.after(self.last or 0) if frame[0] > (self.last or 0)]
                if not frames:
                    return
                metrics.healed(self.name)
                self.append(frames)
        except Exception as error:  # a database that is away is asked again by the poll
            logger.warning("reading %s: %s: %s", self.name, type(error).__name__, error)

    def close(self) -> None:
        if self._healing is not None:
            self._healing.cancel()

    async def reach(self, position: int) -> None:
        """Wait until the log has come to `position`: a snapshot may be newer than the news of it."""
        while self.last is None or self.last < position:
            changed = self._changed
            self.heal_to(position)
            await changed.wait()

    async def follow(self, position: int) -> AsyncIterator[list[Frame]]:
        """Frames after `position`, in order and without an end, in parts that a slow reader can wait between."""
        while True:
            changed = self._changed
            batch = await self.batch_after(position)
            for part in parts_of(batch, size=lambda frame: len(frame[1])):
                position = part[-1][0]
                yield part
            if not batch:
                await changed.wait()

    async def batch_after(self, position: int) -> list[Frame]:
        """What a cursor at `position` has not seen: of the log, or of the source when it lies before it."""
        last = self.last
        if last is None or self.floor is None or last <= position:
            return []
        if position < self.floor:
            return await self.source.after(position)
        newer = takewhile(lambda frame: frame[0] > position, reversed(self.frames))
        return list(newer)[::-1]
