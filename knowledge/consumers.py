"""`/api/knowledge-items/stream`: the list of sources as this client looks at it, pushed on every change.

News only says that something changed; each socket then gets its own view of the list, read
once per view and change however many sockets share it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from knowledge.listing import ItemFilter, fingerprint, items_body, items_page
from knowledge.messages import MAX_PAGE, MAX_PER_PAGE, KnowledgeItemsUpdate
from progress.consumers import StreamConsumer
from progress.groups import KNOWLEDGE_TOPIC
from progress.history import Frames
from progress.threads import in_thread
from progress.topic import Frame, Source, Topic
from progress.viewer import Viewer, viewer_in
from progress.wire import encode

# A crawl changes its source many times a second; a list is looked at by people.
UPDATE_SECONDS = 0.25
MAX_TAGS = 50
TEXT_CHARS = 500
VIEWS_KEPT = 64


class View(NamedTuple):
    """The part of the list that a client asked for with `subscribe`."""

    viewer: Viewer
    page: int = 1
    per_page: int = 20
    search: str = ""
    knowledge_type: str = ""
    source_type: str = ""
    tags: tuple[str, ...] = ()

    @classmethod
    def wanted(cls, message: Mapping[str, Any], viewer: Viewer) -> View:
        """What is missing or makes no sense falls back to its default: a list is better than a closed socket."""
        texts = {name: _text(message.get(name)) for name in ("search", "knowledge_type", "source_type")}
        tags = message.get("tags")
        given = [_text(tag) for tag in tags[:MAX_TAGS]] if isinstance(tags, list) else []
        return cls(
            page=_number(message.get("page"), 1, MAX_PAGE),
            per_page=_number(message.get("per_page"), 20, MAX_PER_PAGE),
            tags=tuple(tag for tag in given if tag),
            viewer=viewer,
            **texts,
        )

    def frame(self) -> str:
        chosen = ItemFilter(self.viewer, self.search, self.knowledge_type, self.source_type, self.tags)
        listed = items_page(chosen, page=self.page, per_page=self.per_page)
        return encode(KnowledgeItemsUpdate(type="knowledge_items_update", data=items_body(listed)))


def _number(value: object, default: int, most: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most else default


def _text(value: object) -> str:
    return value[:TEXT_CHARS] if isinstance(value, str) else ""


class Changes:
    """Numbers the changes of the list as this process hears of them, and shares what was read since the newest.

    The rows have no number of their own that rises with every commit. So news counts as a change
    without a look at them, and where no news comes their fingerprint tells.
    """

    def __init__(self) -> None:
        self.number = 1
        self._seen: tuple[object, ...] | None = None
        self._frames: dict[View, asyncio.Task[str]] = {}

    async def after(self, sequence: int) -> list[Frame]:
        """Asked when there was news, or `latest` told of a change."""
        self._seen = await in_thread(fingerprint)
        # Only now: news that came during the read is covered by this number too.
        self._count(sequence)
        return [(self.number, "")]

    async def latest(self) -> int:
        seen = await in_thread(fingerprint)
        if self._seen is not None and seen != self._seen:
            self._count(self.number)
        self._seen = seen
        return self.number

    def _count(self, sequence: int) -> None:
        self.number = max(self.number, sequence) + 1
        self._frames = {}

    async def frame(self, view: View) -> str:
        """Read once per change, however many sockets ask."""
        if view not in self._frames:
            while len(self._frames) >= VIEWS_KEPT:
                self._frames.pop(next(iter(self._frames)))
            self._frames[view] = asyncio.create_task(in_thread(view.frame))
        reading = self._frames[view]
        try:
            return await asyncio.shield(reading)
        except Exception:
            if self._frames.get(view) is reading:  # a failed read must not be everybody's answer
                del self._frames[view]
            raise


class KnowledgeItemsConsumer(StreamConsumer):
    gapless = False

    async def connect(self) -> None:
        self.view = View(viewer=viewer_in(self.scope))
        # One read and its send at a time: a frame of an earlier view or state never comes last.
        self._showing = asyncio.Lock()
        self._shown = ""
        await super().connect()

    async def topic(self) -> str:
        return KNOWLEDGE_TOPIC

    def source(self) -> Source:
        return Changes()

    async def first_frames(self) -> Frames:
        """Nothing yet: the client may say what it looks at while this is awaited."""
        return Frames([], await _changes(self.followed).latest())

    async def heard(self, message: dict[str, Any]) -> None:
        if message.get("type") == "subscribe":
            self.view = View.wanted(message, self.view.viewer)
            if self.followed is not None:
                await _changes(self.followed).latest()
                await self._show(self.followed)

    async def follow(self, topic: Topic, position: int) -> None:
        await self._show(topic)
        async for _ in topic.follow(position):
            await self._show(topic, again=False)
            await asyncio.sleep(UPDATE_SECONDS)

    async def _show(self, topic: Topic, *, again: bool = True) -> None:
        """Unless `again`, a list that looks as before is not sent: what changed is not for these eyes."""
        async with self._showing:
            frame = await _changes(topic).frame(self.view)
            if again or frame != self._shown:
                self._shown = frame
                await self.send(frame)


def _changes(topic: Topic | None) -> Changes:
    assert topic is not None
    assert isinstance(topic.source, Changes)
    return topic.source
