"""Bodies of the chat endpoints, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from ninja import Field, Schema

from knowledge.chat.messages import MESSAGE_CHARS, MessageBody, TypingBody
from knowledge.chat.models import SESSION_ID_CHARS
from progress.request import RequestBody


class SessionIn(RequestBody):
    session_id: Annotated[str, Field(max_length=SESSION_ID_CHARS, description="Any text; empty for a new one.")] = ""
    title: Annotated[str, Field(max_length=200)] = ""


class Session(Schema):
    session_id: str
    title: Annotated[str, Field(description="The beginning of the first question, unless one was given.")]
    sequence: int
    message_count: int
    created_at: datetime
    updated_at: datetime


class ChatSessionList(Schema):
    sessions: list[Session]
    total: int
    page: int
    per_page: int


class SessionMessages(Schema):
    """As the snapshot of the socket; earlier messages with `before`."""

    session_id: str
    title: str
    sequence: int
    messages: list[MessageBody]
    total_messages: int
    typing: TypingBody | None
    created_at: datetime
    updated_at: datetime


class MessageIn(RequestBody):
    message: Annotated[str, Field(max_length=MESSAGE_CHARS)]
    source_id: str | None = None


class MessageAccepted(Schema):
    """`message_id` is the answer's; follow its session over the socket, the event stream, or by polling."""

    success: bool = True
    session_id: str
    question_id: int
    message_id: int
    sequence: Annotated[int, Field(description="Of the event that began the answer; `?since=` it for what follows.")]


class AnswerStopped(Schema):
    success: bool = True
    message: str
    stopped: Annotated[bool, Field(description="False when no answer was being written.")]


class SessionDeleted(Schema):
    success: bool = True
    message: str
    session_id: str
