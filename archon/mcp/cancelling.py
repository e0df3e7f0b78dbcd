"""A cancel is a request of its own, and may arrive at another web process than the call that it means.

It is kept in Redis for a minute and told over the channel layer. A call that lasts listens for it, and looks once
when it begins to: whichever comes first, the cancel is found. Without Redis only calls of this process are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from archon.mcp.memory import CallName, notes
from progress.hub import hub
from progress.publish import publish
from progress.threads import in_pool
from progress.topic import Frame
from progress.wire import encode

# Most calls are over by then, and cost nothing; nobody is quicker to change their mind.
LISTEN_AFTER_SECONDS = 0.25
CANCELLED = (1, encode({"cancelled": True}))


class Cancel:
    """The source of a topic with one event at most."""

    def __init__(self, call: CallName) -> None:
        self.call = call

    async def after(self, sequence: int) -> list[Frame]:
        return [CANCELLED] if sequence < await self.latest() else []

    async def latest(self) -> int:
        return int(await in_pool(notes().is_cancelled, self.call))


async def cancel_elsewhere(call: CallName) -> None:
    await in_pool(notes().cancel, call)
    sequence, text = CANCELLED
    publish(call.topic, text, sequence=sequence)


@contextlib.asynccontextmanager
async def cancelled_from_elsewhere(call: CallName, cancel: Callable[[], None]) -> AsyncGenerator[None]:
    """`cancel` is called when another process was asked to. A call without a session cannot be named there."""
    listening = asyncio.create_task(_listen(call, cancel)) if call.session_id else None
    try:
        yield
    finally:
        if listening is not None:
            listening.cancel()


async def _listen(call: CallName, cancel: Callable[[], None]) -> None:
    await asyncio.sleep(LISTEN_AFTER_SECONDS)
    told = Cancel(call)
    topic = await hub().join(call.topic, lambda: told)
    try:
        topic.start_at(0)
        if not await told.latest():
            await anext(topic.follow(0))
        cancel()
    finally:
        await hub().leave(topic)
