"""Follow a crawl for a caller that waits: MCP progress and log notifications from the numbered events.

They are the frames that the dashboard's sockets get, through the same hub: read once per process,
and from the database when news was lost. No database connection is held while nothing happens.
A caller that goes away ends only this; the crawl goes on.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anyio
from mcp.server.connection import allowed_log_levels
from mcp.server.mcpserver import Context
from mcp_types import LoggingLevel, LoggingMessageNotification, LoggingMessageNotificationParams

from archon.mcp.memory import calling, notes
from archon.mcp.sessions import current
from progress import history
from progress.consumers import ProgressSource
from progress.groups import progress_topic
from progress.hub import hub
from progress.plural import plural
from progress.status import TERMINAL
from progress.threads import in_pool, in_thread

LOGGER = "archon.crawl"
# Clients give a silent call up after 60 s; many take a progress notification as a sign of life.
ALIVE_SECONDS = 10.0
LEVELS: tuple[LoggingLevel, ...] = (
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
)


class Teller:
    """Tells one caller what each snapshot has that the one before had not."""

    def __init__(self, ctx: Context[Any, Any]) -> None:
        self.ctx = ctx
        self.lines: Sequence[str] = ()
        self.said = -1.0
        self.message = ""
        self.percentage = 0
        self.levels = allowed_log_levels(ctx.request_context.protocol_version, dict(ctx.request_context.meta or {}))

    async def tell(self, snapshot: dict[str, Any]) -> None:
        self.percentage = int(snapshot["percentage"])
        lines = snapshot["logs"]
        for line in new_lines(self.lines, lines):
            await self.log("error" if snapshot["status"] == "failed" else "info", line)
        self.lines = lines
        total = snapshot.get("totalPages", 0)
        done = snapshot.get("processedPages", 0)
        pages = f"{done:,}/{plural(total, 'page')}, " if total else ""
        self.message = f"{snapshot['status']}: {pages}{snapshot.get('log', '')}"[:500]
        await self.progress()

    async def progress(self) -> None:
        """The protocol wants a number that grows with every notification: between two percents it does so a little."""
        grown = self.said + max(0.0, self.percentage + 1 - self.said) / 1_000
        self.said = max(float(self.percentage), min(grown, 100.0))
        await self.ctx.report_progress(self.said, 100.0, self.message)

    async def log(self, level: LoggingLevel, line: str) -> None:
        """As `Context.log`, which warns that later protocols drop it; there the caller asks for it by request."""
        chosen = LEVELS.index(level) >= LEVELS.index(current.get().log_level)
        if chosen and level in self.levels:
            params = LoggingMessageNotificationParams(level=level, logger=LOGGER, data=line)
            request_id = self.ctx.request_context.request_id
            await self.ctx.session.send_notification(LoggingMessageNotification(params=params), request_id)


async def watch(progress_id: str, seconds: float, ctx: Context[Any, Any]) -> None:
    """Until the crawl is over, or for so many seconds."""
    teller = Teller(ctx)
    await know_level()
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as both:
            both.start_soon(keep_alive, teller)
            async with contextlib.aclosing(snapshots(progress_id)) as told:
                async for snapshot in told:
                    await teller.tell(snapshot)
            both.cancel_scope.cancel()


async def know_level() -> None:
    """The session may have told it to another process; what it tells this one meanwhile counts at once."""
    session = current.get()
    if session.shared_id and (level := await in_pool(notes().level, calling())) in LEVELS:
        session.log_level = level


async def keep_alive(teller: Teller) -> None:
    while True:
        await anyio.sleep(ALIVE_SECONDS)
        await teller.progress()


async def snapshots(progress_id: str) -> AsyncGenerator[dict[str, Any]]:
    """The `data` of each frame, from the current state to the last."""
    topic = await hub().join(progress_topic(progress_id), lambda: ProgressSource(progress_id))
    try:
        first = await in_thread(history.first_frame, progress_id)
        topic.start_at(first.position)
        snapshot = json.loads(first.texts[-1])["data"]
        yield snapshot
        position = first.position
        while snapshot["status"] not in TERMINAL:
            async for batch in topic.follow(position):
                for sequence, text in batch:
                    position, snapshot = sequence, json.loads(text)["data"]
                    yield snapshot
                if snapshot["status"] in TERMINAL:
                    return
    finally:
        await hub().leave(topic)


def new_lines(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """What `now` has after the end of `before`; both are the newest lines of one log."""
    for shared in range(min(len(before), len(now)), 0, -1):
        if list(before[-shared:]) == list(now[:shared]):
            return now[shared:]
    return now
