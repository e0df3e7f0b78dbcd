"""The streams of this app as clients see them: address and messages. Published at `/api/asyncapi.json`."""

from __future__ import annotations

from typing import Any, NamedTuple

from progress.messages import CrawlCompleted, CrawlProgress, Heartbeat, McpLogRecord, Ping, PingText, Pong


class Stream(NamedTuple):
    """One WebSocket path. Messages by name, each a TypedDict, or a Literal for a bare text."""

    name: str
    address: str
    summary: str
    sends: dict[str, Any]
    receives: dict[str, Any]
    # Of the path and of the query, with their meaning.
    parameters: dict[str, str] = {}
    query: dict[str, str] = {}


ALIVE: dict[str, Any] = {"Heartbeat": Heartbeat, "Pong": Pong}
PINGS: dict[str, Any] = {"PingText": PingText, "Ping": Ping}

STREAMS = (
    Stream(
        name="crawlProgress",
        address="/api/crawl-progress/{progress_id}",
        summary="The current state at once, then one frame per numbered event.",
        sends={"CrawlProgress": CrawlProgress, "CrawlCompleted": CrawlCompleted, **ALIVE},
        receives=PINGS,
        parameters={"progress_id": "Any text: an id that nothing has started yet is answered `waiting`."},
        query={"since": "Sequence to go on from: every later event is sent again, in order, then live ones."},
    ),
    Stream(
        name="mcpLogs",
        address="/api/mcp/logs/stream",
        summary="The newest log records, then live ones, each a bare object.",
        sends={"McpLogRecord": McpLogRecord, **ALIVE},
        receives=PINGS,
        query={"since": "Id of a record: those after it are sent instead of the newest."},
    ),
)
