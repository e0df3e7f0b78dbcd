"""The only caller of group_send: small news over the channel layer, in order, never in the way.

News may be lost (Redis restarts, floods): receivers notice the gap in the sequence and read
the database. So publishing never raises, never blocks the work, and gives up after seconds.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from typing import NamedTuple

from channels.layers import get_channel_layer
from django.db import transaction

from progress import metrics
from progress.failpoints import failpoint
from progress.groups import group_name
from progress.loop import background_loop

logger = logging.getLogger(__name__)

SEND_SECONDS = 1.0
# While Redis is away at most this much news waits; older news is dropped first.
PENDING_LIMIT = 1_000


class News(NamedTuple):
    """`text` is the frame, encoded once here; `sequence` is 0 on topics without numbers."""

    topic: str
    sequence: int
    text: str


class Publisher:
    """Sends what is pending, one at a time so that the order holds, from the process's own loop."""

    def __init__(self) -> None:
        self._pending: deque[News] = deque(maxlen=PENDING_LIMIT)
        self._sending = False
        self._failing = False

    def add(self, news: News) -> None:
        """May be called from any thread."""
        self._pending.append(news)
        background_loop().call_soon_threadsafe(self._start)

    def _start(self) -> None:
        if not self._sending and self._pending:
            self._sending = True
            self._task = asyncio.ensure_future(self._send_pending())

    async def _send_pending(self) -> None:
        try:
            while self._pending:
                await self._send(self._pending.popleft())
        finally:
            self._sending = False

    async def _send(self, news: News) -> None:
        layer = get_channel_layer()
        if layer is None:
            return
        message = {"type": "news", **news._asdict()}
        try:
            async with asyncio.timeout(SEND_SECONDS):  # wait_for would cost a task for each
                await layer.group_send(group_name(news.topic), message)
        except Exception as error:  # whatever the layer raises, the database still has the event
            metrics.publish_failed()
            if not self._failing:
                logger.warning("publishing fails, sockets now read the database: %s: %s", type(error).__name__, error)
            self._failing = True
        else:
            metrics.published(news.topic)
            if self._failing:
                logger.info("publishing works again")
            self._failing = False


_publishers: dict[int, Publisher] = {}


def publish(topic: str, text: str, *, sequence: int = 0) -> None:
    """Send now. `text` must have passed to_wire(), as progress.wire.encode does."""
    failpoint("news.before_publish")
    pid = os.getpid()
    publisher = _publishers.get(pid) or _publishers.setdefault(pid, Publisher())
    publisher.add(News(topic, sequence, text))


def publish_on_commit(topic: str, text: str, *, sequence: int = 0) -> None:
    """Send when the surrounding transaction commits: nobody hears of a row that rolled back."""
    # No functools.partial: Django logs a robust hook that failed by its __qualname__, and a partial has none.
    transaction.on_commit(lambda: publish(topic, text, sequence=sequence), robust=True)
