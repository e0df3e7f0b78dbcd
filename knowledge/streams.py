"""The streams of this app as clients see them: address and messages. Published at `/api/asyncapi.json`."""

from __future__ import annotations

from knowledge.chat.streams import CHAT
from knowledge.messages import KnowledgeItemsUpdate, Subscribe
from progress.streams import ALIVE, PINGS, Stream

STREAMS = (
    Stream(
        name="knowledgeItems",
        address="/api/knowledge-items/stream",
        summary="The list of sources as this client looks at it, on connect and after every change.",
        sends={"KnowledgeItemsUpdate": KnowledgeItemsUpdate, **ALIVE},
        receives={"Subscribe": Subscribe, **PINGS},
    ),
    CHAT,
)
