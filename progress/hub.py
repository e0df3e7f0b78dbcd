"""Fan-out inside one process: one subscription per topic, however many sockets follow it.

The channel layer carries news only, and may lose it: every topic is compared with its source
every POLL_SECONDS, so that progress moves on while Redis is away, at most five seconds late.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer

from progress import metrics
from progress.groups import group_name
from progress.topic import Frame, Outlet, Source, Topic, websocket_frame

__all__ = ["Frame", "Hub", "Outlet", "Source", "Topic", "hub", "websocket_frame"]

logger = logging.getLogger(__name__)

# With the reading itself this stays under the five seconds that are promised.
POLL_SECONDS = 4.0
RETRY_SECONDS = 1.0
EARLY_LOOK_SECONDS = 0.25
ECHO_SECONDS = 2.0
ECHO = "echo"


class Hub:
    """All topics of this process. Take it from `hub()`, inside the event loop that serves the sockets."""

    def __init__(self) -> None:
        self.topics: dict[str, Topic] = {}
        self._moved = asyncio.Event()
        self._echoed = asyncio.Event()
        self._layer_away = False
        self._life: asyncio.Task[None] | None = None
        self._looks: set[asyncio.Task[None]] = set()

    async def join(self, name: str, source: Callable[[], Source], *, gapless: bool = True) -> Topic:
        """Be heard of on this topic from now on; read the snapshot after this. Pair with `leave`."""
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, source(), gapless=gapless)
            self._moved.set()
        topic.followers += 1
        if self._life is None or self._life.done():
            self._life = asyncio.create_task(self._live())
        try:
            await self._subscription(topic)
        except BaseException:  # a socket that closes meanwhile never gets a topic to leave
            self._release(topic)
            raise
        return topic

    async def leave(self, topic: Topic) -> None:
        self._release(topic)

    def _release(self, topic: Topic) -> None:
        topic.followers -= 1
        if topic.followers == 0 and self.topics.get(topic.name) is topic:
            del self.topics[topic.name]
            topic.close()
            self._moved.set()

    async def close(self) -> None:
        """End what the hub still does; without topics it ends by itself."""
        tasks = [task for task in (self._life, *self._looks) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _subscription(self, topic: Topic) -> None:
        """Without the layer nobody waits for it: the poll carries the topic."""
        if not self._layer_away:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_SECONDS):
                    await topic.subscribed.wait()

    async def _live(self) -> None:
        """As long as there are topics: listen to the layer, and again after every error of it; poll."""
        poll = asyncio.create_task(self._poll())
        try:
            while self.topics:
                try:
                    await self._listen()
                except Exception as error:  # any error of the layer's client
                    self._lost(error)
                    await asyncio.sleep(RETRY_SECONDS)
                finally:
                    await self._forget_channel()
        finally:
            poll.cancel()

    async def _listen(self) -> None:
        """One channel, in the groups of all topics; until there are none, or the layer fails."""
        layer = get_channel_layer()
        if layer is None:
            raise RuntimeError("no channel layer is configured")
        async with asyncio.timeout(RETRY_SECONDS):
            channel = await layer.new_channel()
        # A cancelled receive drops the channel, so it has a task that lives as long as the channel.
        parts = (self._receive(layer, channel), self._tune(layer, channel), self._check(layer, channel))
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self, layer: Any, channel: str) -> None:
        while True:
            message = await layer.receive(channel)
            if message["type"] == ECHO:
                self._echoed.set()
            topic = self.topics.get(str(message.get("topic")))
            if topic is not None:
                metrics.heard(topic.name)
                topic.hear(int(message["sequence"]), str(message["text"]))

    async def _check(self, layer: Any, channel: str) -> None:
        """Speak to oneself: a connection that died silently would leave the subscription deaf for hours."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            self._echoed.clear()
            async with asyncio.timeout(ECHO_SECONDS):
                await layer.send(channel, {"type": ECHO})
                await self._echoed.wait()

    async def _tune(self, layer: Any, channel: str) -> None:
        """Keep the groups equal to the topics, one call at a time; ends when there is no topic."""
        groups: set[str] = set()
        while self.topics:
            self._moved.clear()
            for name, topic in list(self.topics.items()):
                if name not in groups:
                    await self._call(layer.group_add, name, channel)
                    groups.add(name)
                    self._look_soon(topic)
                topic.subscribed.set()
            for name in groups - self.topics.keys():
                await self._call(layer.group_discard, name, channel)
                groups.discard(name)
            if groups == self.topics.keys():
                self._found()
                await self._moved.wait()

    async def _call(self, call: Any, name: str, channel: str) -> None:
        async with asyncio.timeout(RETRY_SECONDS):
            await call(group_name(name), channel)

    def _look_soon(self, topic: Topic) -> None:
        """SUBSCRIBE is sent but not answered yet: news in that moment is found by one early look."""
        asyncio.get_running_loop().call_later(EARLY_LOOK_SECONDS, self._look, topic)

    def _lost(self, error: Exception) -> None:
        metrics.layer_failed()
        if not self._layer_away:
            logger.warning("channel layer lost, reading the database: %s: %s", type(error).__name__, error)
        self._layer_away = True

    def _found(self) -> None:
        if self._layer_away:
            logger.info("channel layer is back")
        self._layer_away = False

    async def _forget_channel(self) -> None:
        """Drops the layer's channel, groups and connections in this loop; nothing else uses them here."""
        with contextlib.suppress(Exception):
            if (layer := get_channel_layer()) is not None:
                async with asyncio.timeout(RETRY_SECONDS):
                    await layer.flush()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            for topic in list(self.topics.values()):
                await self._compare(topic)

    def _look(self, topic: Topic) -> None:
        if topic.followers:
            task = asyncio.ensure_future(self._compare(topic))
            self._looks.add(task)
            task.add_done_callback(self._looks.discard)

    async def _compare(self, topic: Topic) -> None:
        try:
            latest = await topic.source.latest()
        except Exception as error:  # a database that is away now is asked again
            logger.warning("poll of %s: %s: %s", topic.name, type(error).__name__, error)
            return
        if topic.last is not None and latest > topic.last:
            metrics.poll_found(topic.name)
            topic.heal_to(latest)


_hubs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = weakref.WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
