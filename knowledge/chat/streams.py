"""The chat as clients see it: address and messages. Published at `/api/asyncapi.json`."""

from __future__ import annotations

from knowledge.chat.messages import (
    ChatChunk,
    ChatCitations,
    ChatCompleted,
    ChatError,
    ChatSnapshot,
    ChatStarted,
    ChatTyping,
    SendMessage,
    StopAnswer,
)
from progress.streams import ALIVE, PINGS, Stream

CHAT = Stream(
    name="chat",
    address="/api/chat/{session_id}",
    summary="A conversation: its messages at once, then every step of every answer.",
    sends={
        "ChatSnapshot": ChatSnapshot,
        "ChatStarted": ChatStarted,
        "ChatTyping": ChatTyping,
        "ChatChunk": ChatChunk,
        "ChatCitations": ChatCitations,
        "ChatCompleted": ChatCompleted,
        "ChatError": ChatError,
        **ALIVE,
    },
    receives={"SendMessage": SendMessage, "StopAnswer": StopAnswer, **PINGS},
    parameters={
        "session_id": "Any text: a session that nobody has written to yet is empty, and begins with a message."
    },
    query={"since": "Sequence to go on from: every later event is sent again, in order, then live ones."},
)
