"""Server-Sent Events of one topic: the frames of its WebSocket, with Last-Event-ID to go on from."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_GET

from progress import history, metrics
from progress.consumers import ProgressSource
from progress.groups import progress_topic
from progress.history import Frames
from progress.hub import hub
from progress.threads import in_thread
from progress.topic import Frame, Source, Topic
from progress.viewer import viewer_of

RETRY_MILLISECONDS = 2_000


class Events(NamedTuple):
    """A topic as an event stream: `first(since)` and `resync()` read the database, as for its sockets.

    `hidden()` says whether it is not for the reader's eyes, who is then told `nothing` and no more. It is asked
    before anything is shown, and once in a while: who loses the right meanwhile sees the stream end.
    """

    path: str
    shown_id: str
    topic: str
    source: Callable[[], Source]
    first: Callable[[int | None], Frames]
    resync: Callable[[], Frames]
    hidden: Callable[[], bool] = lambda: False
    nothing: Frames = Frames([], 0)


@require_GET
async def progress_events(request: HttpRequest, progress_id: str) -> StreamingHttpResponse:
    return event_stream(
        request,
        Events(
            metrics.EVENTS_PATH,
            progress_id,
            progress_topic(progress_id),
            partial(ProgressSource, progress_id),
            partial(_first_frames, progress_id),
            partial(history.first_frame, progress_id, resync=True),
            partial(history.is_hidden, progress_id, viewer_of(request)),
            history.nothing_known(progress_id),
        ),
    )


def event_stream(request: HttpRequest, stream: Events) -> StreamingHttpResponse:
    last = request.headers.get("Last-Event-ID") or request.GET.get("since", "")
    since = int(last) if last.isdecimal() and len(last) < 16 else None
    response = StreamingHttpResponse(_stream(stream, since), content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"  # nginx would hold the events back
    return response


async def _stream(stream: Events, since: int | None) -> AsyncGenerator[str]:
    """Ends when Django closes it: the client went away, or the server stops."""
    reader = metrics.opened(stream.path, stream.shown_id)
    try:
        async with aclosing(_events(stream, since)) as texts:
            async for text in texts:
                with reader.sending(text):
                    yield text
    finally:
        reader.closed()


async def _events(stream: Events, since: int | None) -> AsyncGenerator[str]:
    topic = await hub().join(stream.topic, stream.source)
    try:
        first = await in_thread(stream.first, since)
        topic.start_at(first.position)
        # Asked after the reading, so that nothing becomes private between the two.
        hidden = await in_thread(stream.hidden)
        shown, live = (stream.nothing, _silence()) if hidden else (first, _live(topic, stream, first.position))
        yield f"retry: {RETRY_MILLISECONDS}\n\n" + events(numbered(shown))
        async with aclosing(_with_heartbeats(live)) as texts:
            async for text in texts:
                yield text
    finally:
        await hub().leave(topic)


def _first_frames(progress_id: str, since: int | None) -> Frames:
    return history.first_frame(progress_id) if since is None else history.frames_since(progress_id, since)


def numbered(frames: Frames) -> list[Frame]:
    """The sequences that lead up to the position, without a gap."""
    first = frames.position - len(frames.texts) + 1
    return list(enumerate(frames.texts, start=first))


async def _silence() -> AsyncGenerator[list[Frame]]:
    """As of an id that nothing starts."""
    await asyncio.Event().wait()
    yield []


async def _live(topic: Topic, stream: Events, position: int) -> AsyncGenerator[list[Frame]]:
    """What follows; where the past is no longer kept, the present stands for it."""
    shown, looked_at = position > 0, time.monotonic()
    async for batch in topic.follow(position):
        if not shown or time.monotonic() - looked_at > settings.ACCESS_CHECK_SECONDS:
            if await in_thread(stream.hidden):
                if shown:
                    return
                await asyncio.Event().wait()  # begun by somebody for themselves: to this reader nothing happened
            shown, looked_at = True, time.monotonic()
        newer = [frame for frame in batch if frame[0] > position]
        if newer and newer[0][0] > position + 1:
            newer = numbered(await in_thread(stream.resync))
        if newer:
            yield newer
            position = newer[-1][0]


async def _with_heartbeats(frames: AsyncIterator[list[Frame]]) -> AsyncGenerator[str]:
    """Events as text; a comment line whenever nothing happened for a heartbeat's time."""
    waiting = asyncio.ensure_future(anext(frames))
    try:
        while True:
            # Not wait_for: cancelling the wait would end the generator behind it.
            done, _ = await asyncio.wait({waiting}, timeout=settings.HEARTBEAT_SECONDS)
            if done:
                try:
                    yield events(waiting.result())
                except StopAsyncIteration:
                    return
                waiting = asyncio.ensure_future(anext(frames))
            else:
                yield ": heartbeat\n\n"
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})


def events(frames: list[Frame]) -> str:
    return "".join(f"id: {sequence}\ndata: {text}\n\n" for sequence, text in frames)
