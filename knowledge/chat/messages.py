"""The typed messages of a chat: what a frame holds, and what a client may send."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NotRequired

from pydantic import Field, WithJsonSchema

# Pydantic reads typing's own TypedDict only from Python 3.12 on.
from typing_extensions import TypedDict

from knowledge.chat.models import ChatMessage
from progress.messages import Count, ErrorBody, exact, lenient

MESSAGE_CHARS = 8_000
# Messages of a snapshot: the newest; REST pages through the earlier ones.
SNAPSHOT_MESSAGES = 100

Role = Annotated[str, WithJsonSchema({"type": "string", "enum": ChatMessage.Role.values})]
State = Annotated[str, WithJsonSchema({"type": "string", "enum": ChatMessage.State.values})]
Stage = Literal["searching", "waiting", "retrying", "writing"]
Sequence = Annotated[int, Field(ge=0, description="Number of the event, from 1, without gaps; 0 before the first.")]


@exact
class CitationBody(TypedDict):
    """The passage behind a marker `[n]` of the text."""

    n: Annotated[int, Field(ge=1, description="The number of the marker.")]
    chunk_id: int
    source_id: str
    title: str
    heading_path: str
    url: Annotated[str, Field(description="The page, down to the heading.")]
    page_url: str
    snippet: Annotated[str, Field(description="The telling part of the passage.")]


@exact
class MessageBody(TypedDict):
    """A question or its answer."""

    id: int
    role: Role
    state: State
    text: Annotated[str, Field(description="Markdown; of an answer that streams what there is so far.")]
    citations: list[CitationBody]
    model: Annotated[str, Field(description="A model's name; `extractive`: sentences of the passages; `none`.")]
    source_id: Annotated[str | None, Field(description="The one source that was asked; null for all.")]
    error: ErrorBody | None
    created_at: datetime
    completed_at: datetime | None


@exact
class TypingBody(TypedDict):
    """What the answer is waiting for."""

    message_id: int
    stage: Annotated[Stage, Field(description="`retrying`: the model refused or failed and is asked again.")]
    note: Annotated[str, Field(description="A sentence for people; empty when all goes well.")]
    retry_in: Annotated[float | None, Field(description="Seconds until the next attempt.")]


@exact
class SnapshotBody(TypedDict):
    session_id: str
    sequence: Sequence
    title: str
    messages: Annotated[list[MessageBody], Field(max_length=SNAPSHOT_MESSAGES, description="The newest, oldest first.")]
    total_messages: Count
    typing: TypingBody | None
    resync: NotRequired[
        Annotated[Literal[True], Field(description="This snapshot stands for events that are no longer kept.")]
    ]


class _Numbered(TypedDict):
    session_id: str
    sequence: Sequence


@exact
class StartedBody(_Numbered):
    question: MessageBody
    message: Annotated[MessageBody, Field(description="The answer, still empty.")]


@exact
class TypingEventBody(_Numbered, TypingBody):
    pass


@exact
class ChunkBody(_Numbered):
    message_id: int
    index: Annotated[int, Field(ge=0, description="Place of this piece in the answer, from 0.")]
    delta: Annotated[str, Field(description="What to append to the text.")]


@exact
class CitationsBody(_Numbered):
    message_id: int
    citations: list[CitationBody]


@exact
class CompletedBody(_Numbered):
    message: Annotated[MessageBody, Field(description="The whole answer; its state tells whether it was stopped.")]


@exact
class ChatErrorBody(TypedDict):
    session_id: str
    sequence: Annotated[int | None, Field(description="Null when only this socket is told: its message was refused.")]
    error: ErrorBody
    message: Annotated[MessageBody | None, Field(description="The answer that failed, with what was written of it.")]


@exact
class ChatSnapshot(TypedDict):
    """The whole conversation, newest messages."""

    type: Literal["chat_snapshot"]
    data: SnapshotBody


@exact
class ChatStarted(TypedDict):
    """A question was asked, in whichever tab, and its answer begins."""

    type: Literal["chat_started"]
    data: StartedBody


@exact
class ChatTyping(TypedDict):
    """The answer waits for something."""

    type: Literal["chat_typing"]
    data: TypingEventBody


@exact
class ChatChunk(TypedDict):
    """A piece of the answer."""

    type: Literal["chat_chunk"]
    data: ChunkBody


@exact
class ChatCitations(TypedDict):
    """The passages behind the markers of the answer."""

    type: Literal["chat_citations"]
    data: CitationsBody


@exact
class ChatCompleted(TypedDict):
    """The answer is whole, or was stopped."""

    type: Literal["chat_completed"]
    data: CompletedBody


@exact
class ChatError(TypedDict):
    """An answer failed, or a message was refused."""

    type: Literal["chat_error"]
    data: ChatErrorBody


@lenient
class _MessageNamed(TypedDict):
    type: Literal["chat_message"]
    message: Annotated[str, Field(min_length=1, max_length=MESSAGE_CHARS)]


@lenient
class SendMessage(_MessageNamed, total=False):
    """Ask. One answer at a time: while one streams, the next question is refused with `chat_busy`."""

    source_id: Annotated[str | None, Field(description="Ask this source only.")]


@lenient
class StopAnswer(TypedDict):
    """End the answer that streams; what was written of it stays."""

    type: Literal["chat_stop"]


def message_body(message: ChatMessage, *, text: str | None = None) -> MessageBody:
    """`text` stands for the column while the answer streams."""
    return {
        "id": message.pk,
        "role": message.role,
        "state": message.state,
        "text": message.text if text is None else text,
        "citations": message.citations,
        "model": message.model,
        "source_id": message.source_id or None,
        "error": message.error or None,
        "created_at": message.created_at,
        "completed_at": message.completed_at,
    }
