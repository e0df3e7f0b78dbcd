"""Pieces of all answers that this process writes, on their way to the database in few transactions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from django.db import DatabaseError

logger = logging.getLogger(__name__)

# Pieces that come within this are one event of their answer; the first of an answer does not wait.
COALESCE_SECONDS = 0.04
# Where writing itself takes long (a hundred answers, a busy machine) more is gathered, so that it keeps up.
WRITING_SHARE = 1 / 3
LONGEST_SECONDS = 0.25
DATABASE_AWAY_SECONDS = 1.0

Chunks = Mapping[int, tuple[int, str]]


class Recorder:
    """`write` takes {message id: (index, delta)} and returns the ids that still stream; `gone` is told of the others.

    Used inside one event loop.
    """

    def __init__(self, write: Callable[[Chunks], Awaitable[set[int]]], gone: Callable[[int], object]) -> None:
        self._write = write
        self._gone = gone
        self._pending: dict[int, list[str]] = {}
        self._indices: dict[int, int] = {}
        self._writing: frozenset[int] = frozenset()
        self._written_at = 0.0
        self._pause = COALESCE_SECONDS
        self._urgent = asyncio.Event()
        self._progress = asyncio.Condition()
        self._life: asyncio.Task[None] | None = None

    def add(self, message_id: int, delta: str) -> None:
        if message_id not in self._indices:
            self._indices[message_id] = 0
            self._urgent.set()
        self._pending.setdefault(message_id, []).append(delta)
        if self._life is None or self._life.done():
            self._life = asyncio.create_task(self._live())

    async def drain(self, message_id: int) -> None:
        """Wait until everything of this answer is recorded."""
        self._urgent.set()
        async with self._progress:
            await self._progress.wait_for(lambda: message_id not in self._pending and message_id not in self._writing)

    def forget(self, message_id: int) -> None:
        """It ended: what still waits of it is dropped."""
        self._pending.pop(message_id, None)
        self._indices.pop(message_id, None)

    async def _live(self) -> None:
        while self._pending:
            wait = self._written_at + self._pause - time.monotonic()
            if wait > 0 and not self._urgent.is_set():
                try:
                    async with asyncio.timeout(wait):
                        await self._urgent.wait()
                except TimeoutError:
                    pass
            await self._record()

    async def _record(self) -> None:
        self._urgent.clear()
        taken = {message_id: "".join(deltas) for message_id, deltas in self._pending.items()}
        self._pending.clear()
        self._writing = frozenset(taken)
        started = time.monotonic()
        try:
            live = await self._write({pk: (self._indices.get(pk, 0), delta) for pk, delta in taken.items()})
        except DatabaseError as error:  # it is away or busy: the pieces wait
            logger.warning("chat pieces wait for the database: %s: %s", type(error).__name__, error)
            for message_id, delta in taken.items():
                self._pending[message_id] = [delta, *self._pending.get(message_id, [])]
            await asyncio.sleep(DATABASE_AWAY_SECONDS)
        else:
            self._settle(set(taken), live)
        finally:
            self._written_at = time.monotonic()
            took = self._written_at - started
            self._pause = min(max(COALESCE_SECONDS, took / WRITING_SHARE), LONGEST_SECONDS)
            self._writing = frozenset()
            async with self._progress:
                self._progress.notify_all()

    def _settle(self, taken: set[int], live: set[int]) -> None:
        for message_id in taken:
            if message_id not in live:
                self.forget(message_id)
                self._gone(message_id)
            elif message_id in self._indices:
                self._indices[message_id] += 1
