"""A source of truth in memory, and a reader of topics."""

from __future__ import annotations

import asyncio

from progress.topic import Frame, Topic


class Book:
    """Frames 1..n, readable in parts. `silent` ones tell nobody that there is something new."""

    def __init__(self, *, part: int = 1000, failures: int = 0, silent: bool = False) -> None:
        self.frames: list[Frame] = []
        self.part = part
        self.failures = failures
        self.silent = silent
        self.reads = 0

    def write(self, count: int = 1) -> list[Frame]:
        first = len(self.frames) + 1
        new = [(sequence, f"frame {sequence}") for sequence in range(first, first + count)]
        self.frames += new
        return new

    async def after(self, sequence: int) -> list[Frame]:
        self.reads += 1
        return [frame for frame in self.frames if frame[0] > sequence][: self.part]

    async def latest(self) -> int:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("database away")
        return 0 if self.silent or not self.frames else self.frames[-1][0]


async def take(topic: Topic, position: int, count: int) -> list[Frame]:
    """The next `count` frames a cursor at `position` sees."""
    seen: list[Frame] = []
    async with asyncio.timeout(10):
        async for batch in topic.follow(position):
            seen += batch
            if len(seen) >= count:
                break
    return seen
