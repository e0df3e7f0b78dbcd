"""The WebSocket consumers of this app, and the StreamConsumer that others build on.

Life of a socket: may it? -> accept -> join the hub -> read the snapshot -> send it -> follow.
Joining before reading is what makes the snapshot and the live frames meet without a hole.
Close codes are part of the wire: docs/websocket.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from progress import crowd, history, logs, metrics
from progress.closing import CLOSE_ERROR, CLOSE_FLOOD, CLOSE_FORBIDDEN, CLOSE_OVERLOAD, OUTLET_EXTENSION
from progress.flood import InputRate
from progress.groups import MCP_LOG_TOPIC, progress_topic
from progress.history import Frames
from progress.hub import hub
from progress.messages import HEARTBEAT_TEXT, PONG_TEXT
from progress.standing import HIDDEN, until_over
from progress.threads import in_thread
from progress.topic import UNSENT_BYTES, Frame, Outlet, Source, Topic, parts_of, websocket_frame
from progress.viewer import viewer_in

logger = logging.getLogger(__name__)

# A client that fell behind by UNSENT_BYTES goes on when its buffer is down to this, and is closed
# when that takes longer than SLOW_SECONDS: an open tab on a bad line takes 10 kB/s.
DRAINED_BYTES = 64 * 1024
SLOW_SECONDS = 20.0
DRAIN_LOOK_SECONDS = 0.2


class SlowClient(Exception):
    """The client did not take what waited for it in time; its socket is closed."""


class StreamConsumer(AsyncWebsocketConsumer):
    """One socket on one topic. Subclasses name the topic and read its first frames.

    Anything a client sends that is not understood is ignored: a bare `ping` is the seed
    client's answer to a heartbeat, and no frame of a client may end a socket but a flood.
    """

    gapless = True
    # No layer of this name: the hub listens for all sockets of a topic. A channel of its own would
    # cost every socket a subscription, and none could open while Redis is away.
    channel_layer_alias = "none"

    async def topic(self) -> str:
        raise NotImplementedError

    def source(self) -> Source:
        raise NotImplementedError

    async def first_frames(self) -> Frames:
        """What to send at once, and the sequence to follow from. `self.followed` is joined."""
        raise NotImplementedError

    async def resync_frames(self) -> Frames:
        """What stands for frames that the source no longer has."""
        return await self.first_frames()

    async def may_subscribe(self) -> bool:
        """Asked once, before accept; access control answers here."""
        return True

    async def heard(self, message: dict[str, Any]) -> None:
        """A JSON object from the client that is not a ping."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.outlet: Outlet | None = scope.get("extensions", {}).get(OUTLET_EXTENSION)
        self.tasks: list[asyncio.Task[None]] = []
        self.inputs = InputRate()
        self.followed: Topic | None = None
        self.client = crowd.client_of(viewer_in(scope), (scope.get("client") or [None])[0])
        self.socket: metrics.OpenSocket | None = None
        self.heard_at = time.monotonic()
        with crowd.counted(self.client):
            try:
                await super().__call__(scope, receive, send)
            finally:  # however the socket ended, and whether its disconnect was heard or not
                await self._end()

    async def connect(self) -> None:
        if crowd.is_crowded(self.client):
            # Not accepted first: clients count failed attempts to wait longer, and an accept resets that.
            logger.warning("%s has %s sockets and event streams open", self.client, settings.SOCKETS_PER_CLIENT)
            await self.close(CLOSE_OVERLOAD)
            return
        if not await self.may_subscribe():
            await self.close(CLOSE_FORBIDDEN)
            return
        await self.accept()
        self.socket = metrics.opened(*metrics.route_of(self.scope))
        self.tasks = [asyncio.create_task(self._stream()), asyncio.create_task(self._heartbeat())]

    async def disconnect(self, code: int) -> None:
        if self.socket is not None:
            self.socket.closed(code)

    async def _end(self) -> None:
        if self.socket is not None:
            self.socket.closed()
        for task in self.tasks:
            task.cancel()
        if self.followed is not None:
            await hub().leave(self.followed)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.heard_at = time.monotonic()
        if self.inputs.exceeded(self.heard_at):
            await self.close(CLOSE_FLOOD)
            return
        message = parse(text_data)
        if message == {"type": "ping"}:
            await self._send_if_taken(PONG_TEXT)
        elif message:
            with contextlib.suppress(SlowClient):
                await self.heard(message)

    async def send(self, text_data: str | None = None, bytes_data: bytes | None = None, close: bool = False) -> None:
        """Waits for a client that fell behind; raises SlowClient when it stays behind."""
        await self._room()
        await self._send(text_data, bytes_data, close)

    async def _send(self, text_data: str | None, bytes_data: bytes | None = None, close: bool = False) -> None:
        if self.socket is None:
            await super().send(text_data, bytes_data, close)
            return
        with self.socket.sending(text_data or ""):
            await super().send(text_data, bytes_data, close)

    async def _send_if_taken(self, text: str) -> None:
        """For what tells nothing new: a client that reads nothing needs no pong either."""
        if self.outlet is None or self.outlet.unsent() <= UNSENT_BYTES:
            await self._send(text)

    async def _room(self) -> None:
        outlet = self.outlet
        if outlet is None or outlet.unsent() <= UNSENT_BYTES:
            return
        deadline = time.monotonic() + SLOW_SECONDS
        while outlet.unsent() > DRAINED_BYTES:
            if time.monotonic() > deadline:
                if self.socket is not None:
                    self.socket.too_slow()
                await self.close(CLOSE_OVERLOAD)
                raise SlowClient
            await asyncio.sleep(DRAIN_LOOK_SECONDS)

    async def _stream(self) -> None:
        try:
            self.followed = topic = await hub().join(await self.topic(), self.source, gapless=self.gapless)
            first = await self.first_frames()
            topic.start_at(first.position)
            await self._deliver(first.texts)
            await self.follow(topic, first.position)
        except SlowClient:  # closed and logged
            pass
        except Exception:  # the outer edge of a socket: record, and tell the client to come back
            logger.exception("socket failed: %s", self.scope["path"])
            await self.close(CLOSE_ERROR)

    async def follow(self, topic: Topic, position: int) -> None:
        if self.outlet is not None:
            await self._ride(topic, position, self.outlet)
        async for batch in topic.follow(position):
            newer = [frame for frame in batch if frame[0] > position]
            if newer:
                position = await self._deliver_batch(topic, newer, position)

    async def _ride(self, topic: Topic, position: int, outlet: Outlet) -> None:
        """Catch up, be written to directly, and again after every time it fell behind."""
        while True:
            while batch := await topic.batch_after(position):
                position = await self._deliver_batch(topic, batch, position)
            if (topic.last or 0) < position:
                await topic.reach(position)
            else:
                position = await topic.ride(outlet)
                await self._room()

    async def _deliver_batch(self, topic: Topic, batch: list[Frame], position: int) -> int:
        """The new position. A hole means that the past is no longer kept: the present stands for it."""
        if topic.gapless and batch[0][0] > position + 1:
            resync = await self.resync_frames()
            await self._deliver(resync.texts)
            return max(resync.position, batch[0][0] - 1)
        await self._deliver([text for _, text in batch])
        return batch[-1][0]

    async def _deliver(self, texts: list[str]) -> None:
        """A long replay leaves in parts, each as the client takes it."""
        if self.outlet is None:
            for text in texts:
                await self.send(text)
            return
        for part in parts_of(texts, size=len):
            await self._room()
            encoded = b"".join(websocket_frame(text) for text in part)
            self.outlet.write(encoded)
            metrics.written(len(part), len(encoded))

    async def _heartbeat(self) -> None:
        """A task of its own: waiting on receive with a timeout would cancel it, and lose what arrives."""
        while True:
            silent = time.monotonic() - self.heard_at
            if silent < settings.HEARTBEAT_SECONDS:
                await asyncio.sleep(settings.HEARTBEAT_SECONDS - silent)
                continue
            await self._send_if_taken(HEARTBEAT_TEXT)
            self.heard_at = time.monotonic()


def parse(text: str | None) -> dict[str, Any]:
    """A client's frame as an object; {} for what is none. The bare text `ping` counts as one."""
    if text is None:
        return {}
    if text.strip() == "ping":
        return {"type": "ping"}
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


class ProgressSource:
    """The numbered events of one progress id."""

    def __init__(self, progress_id: str) -> None:
        self.progress_id = progress_id

    async def after(self, sequence: int) -> list[Frame]:
        return await in_thread(history.events_after, self.progress_id, sequence)

    async def latest(self) -> int:
        sequences = await in_thread(history.latest_sequences, [self.progress_id])
        return sequences.get(self.progress_id, 0)


class CrawlProgressConsumer(StreamConsumer):
    """`/api/crawl-progress/{progress_id}`, with `?since=N` to replay from there.

    An operation of another account's private source is answered as an id that nothing has started: `waiting`,
    and nothing after it.
    """

    @property
    def progress_id(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["progress_id"])

    async def topic(self) -> str:
        return progress_topic(self.progress_id)

    def source(self) -> Source:
        return ProgressSource(self.progress_id)

    async def first_frames(self) -> Frames:
        frames = await self._first_frames()
        # Asked after the reading, so that nothing becomes private between the two.
        self.hidden = await self._is_hidden()
        return Frames(history.nothing_known(self.progress_id).texts, frames.position) if self.hidden else frames

    async def follow(self, topic: Topic, position: int) -> None:
        if not viewer_in(self.scope).everything:
            if self.hidden or not (position or await self._is_started(topic)):
                return
            self.tasks.append(asyncio.create_task(self._until_hidden()))
        await super().follow(topic, position)

    async def _is_started(self, topic: Topic) -> bool:
        """Waits for the first event of an id that nothing had started, and says whether it is for these eyes."""
        async for _ in topic.follow(0):
            break
        return not await self._is_hidden()

    async def _is_hidden(self) -> bool:
        viewer = viewer_in(self.scope)
        return not viewer.everything and await in_thread(history.is_hidden, self.progress_id, viewer)

    async def _until_hidden(self) -> None:
        """A source may become private while others follow it: they are closed within a minute."""
        viewer = viewer_in(self.scope)
        over = await until_over(lambda: HIDDEN if history.is_hidden(self.progress_id, viewer) else None)
        await self.close(over.close_code)

    async def _first_frames(self) -> Frames:
        since = since_of(self.scope["query_string"])
        if since is None:
            assert self.followed is not None
            return await self.followed.read_once(None, partial(in_thread, history.first_frame, self.progress_id))
        return await self._frames_since(since)

    async def _frames_since(self, since: int) -> Frames:
        """From the shared log if it reaches back that far, else read, once for all who ask meanwhile."""
        topic = self.followed
        assert topic is not None
        # From 0 it is always read: whether anything has begun decides what follow() waits for.
        if since and topic.covers(since):
            return Frames([], since)
        read = await topic.read_once(since, partial(in_thread, history.frames_since, self.progress_id, since))
        if len(read.texts) == read.position - since:  # neither a snapshot nor a resync
            topic.start_at(since)
            topic.extend_back(list(enumerate(read.texts, since + 1)))
        return read

    async def resync_frames(self) -> Frames:
        return await in_thread(history.first_frame, self.progress_id, resync=True)


def since_of(query_string: bytes) -> int | None:
    """N of `?since=N`; None when it is missing or no number, which means: send the snapshot."""
    values = parse_qs(query_string.decode("ascii", "replace")).get("since", [])
    return int(values[-1]) if values and values[-1].isdecimal() and len(values[-1]) < 16 else None


class LogSource:
    """The rows of the MCP log; their ids may have gaps."""

    async def after(self, sequence: int) -> list[Frame]:
        return await in_thread(logs.after, sequence)

    async def latest(self) -> int:
        return await in_thread(logs.latest_id)


class McpLogConsumer(StreamConsumer):
    """`/api/mcp/logs/stream`: the last records, then live ones, each a bare object."""

    gapless = False

    async def topic(self) -> str:
        return MCP_LOG_TOPIC

    def source(self) -> Source:
        return LogSource()

    async def first_frames(self) -> Frames:
        since = since_of(self.scope["query_string"])
        if since is not None:  # an id that nobody gave yet would make every socket wait for it
            return Frames([], min(since, await in_thread(logs.latest_id)))
        frames = logs.frames_of(await in_thread(logs.newest, logs.SNAPSHOT_RECORDS))
        return Frames([text for _, text in frames], frames[-1][0] if frames else 0)
