"""Clients that come back with ?since=<the last sequence they saw>, and keep every frame."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

ENDS = ("completed", "failed", "cancelled")
# A client of ours waits this long before it asks a server that is away again.
AGAIN_SECONDS = 0.05
LONGEST_SECONDS = 90


class Follower:
    """`url(query)` is where it connects, anew each time; `abort_after` draws after how many frames it cuts the line."""

    def __init__(self, url: Callable[[str], str], *, abort_after: Callable[[], int] | None = None) -> None:
        self.url = url
        self.abort_after = abort_after
        self.frames: list[str] = []
        self.last = 0
        self.connects = 0
        self.codes: list[int | None] = []
        self.ended = False
        self.was_closed = asyncio.Event()
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def end(self) -> list[str]:
        """The whole history, once the terminal frame came."""
        assert self._task is not None
        async with asyncio.timeout(LONGEST_SECONDS):
            await self._task
        return self.frames

    async def reached(self, sequence: int) -> None:
        async with asyncio.timeout(LONGEST_SECONDS):
            while self.last < sequence:
                self._moved.clear()
                await self._moved.wait()

    async def _run(self) -> None:
        while not self.ended:
            try:
                async with connect(self.url(f"?since={self.last}"), ping_interval=None, open_timeout=30) as connection:
                    self.connects += 1
                    await self._read(connection)
            except ConnectionClosed as closed:
                self.codes.append(closed.rcvd.code if closed.rcvd else None)
                self.was_closed.set()
            except (OSError, InvalidHandshake):
                await asyncio.sleep(AGAIN_SECONDS)

    async def _read(self, connection: ClientConnection) -> None:
        left = self.abort_after() if self.abort_after else -1
        while left != 0 and not self.ended:
            self._take(str(await connection.recv()))
            left -= 1
        if not self.ended:
            connection.transport.abort()

    def _take(self, text: str) -> None:
        frame = json.loads(text)
        if frame["type"] == "heartbeat" or "sequence" not in frame["data"]:
            return
        self.frames.append(text)
        self.last = frame["data"]["sequence"]
        self.ended = frame["data"]["status"] in ENDS
        self._moved.set()


def now_and_then(seed: int) -> Callable[[], int]:
    """Cut the line after 1 to 40 frames, the same ones in every run."""
    drawn = random.Random(seed)
    return lambda: drawn.randint(1, 40)


def assert_whole(history: list[str], stored: list[str]) -> None:
    """Identical, complete, ordered, and exactly one end."""
    numbers = [json.loads(text)["data"]["sequence"] for text in history]
    wanted = range(1, len(stored) + 1)
    assert numbers == list(wanted), (sorted({*wanted} - {*numbers}), [n for n, m in pairwise(numbers) if m != n + 1])
    assert history == stored
    assert [json.loads(text)["data"]["status"] in ENDS for text in history].count(True) == 1
