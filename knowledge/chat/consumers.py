"""`/api/chat/{session_id}`: a conversation as every tab of its owner sees it, with `?since=N` to go on from there."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.db import DatabaseError

from knowledge.chat import actions, events
from knowledge.chat.errors import database_error_body, error_body
from knowledge.errors import KnowledgeError
from progress.consumers import StreamConsumer, since_of
from progress.history import Frames
from progress.messages import ErrorBody
from progress.threads import in_thread
from progress.topic import Frame, Source
from progress.wire import encode

logger = logging.getLogger(__name__)


class ChatSource:
    """The numbered events of one session."""

    def __init__(self, owner_id: int | None, session_id: str) -> None:
        self.owner_id = owner_id
        self.session_id = session_id

    async def after(self, sequence: int) -> list[Frame]:
        return await in_thread(events.events_after, self.owner_id, self.session_id, sequence)

    async def latest(self) -> int:
        return await in_thread(events.latest_sequence, self.owner_id, self.session_id)


class ChatConsumer(StreamConsumer):
    """Sessions are looked up under the owner's own name: nobody can open, or occupy, another's id."""

    @property
    def session_id(self) -> str:
        return str(self.scope["url_route"]["kwargs"]["session_id"])

    @property
    def owner_id(self) -> int | None:
        return actions.owner_of(self.scope.get("user"))

    async def topic(self) -> str:
        return events.chat_topic(self.owner_id, self.session_id)

    def source(self) -> Source:
        return ChatSource(self.owner_id, self.session_id)

    async def first_frames(self) -> Frames:
        topic, since = self.followed, since_of(self.scope["query_string"])
        assert topic is not None
        if since is None:
            read = partial(in_thread, events.first_frame, self.owner_id, self.session_id)
        elif topic.covers(since):
            return Frames([], since)
        else:
            read = partial(in_thread, events.frames_since, self.owner_id, self.session_id, since)
        return await topic.read_once(since, read)

    async def resync_frames(self) -> Frames:
        return await in_thread(events.first_frame, self.owner_id, self.session_id, resync=True)

    async def heard(self, message: dict[str, Any]) -> None:
        try:
            if message.get("type") == "chat_message":
                await in_thread(self._ask, message)
            elif message.get("type") == "chat_stop":
                await in_thread(actions.stop, self.owner_id, self.session_id)
        except KnowledgeError as error:
            await self._refuse(error_body(error))
        except DatabaseError as error:
            logger.exception("a message of a chat was not taken")
            await self._refuse(database_error_body(error))

    async def _refuse(self, error: ErrorBody) -> None:
        """This socket alone is told, so it has no number."""
        body = {"session_id": self.session_id, "sequence": None, "error": error, "message": None}
        await self.send(encode({"type": "chat_error", "data": body}))

    def _ask(self, message: dict[str, Any]) -> None:
        text, source_id = message.get("message"), message.get("source_id")
        actions.ask(
            self.owner_id,
            self.session_id,
            text if isinstance(text, str) else "",
            source_id=source_id if isinstance(source_id, str) else None,
        )
