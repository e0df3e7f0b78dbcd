"""Server-Sent Events of one topic: the frames of its WebSocket, with Last-Event-ID to go on from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from progress import crowd, history, metrics
from progress.closing import CLOSE_OVERLOAD
from progress.consumers import ProgressSource
from progress.groups import progress_topic
from progress.history import Frames
from progress.hub import hub
from progress.problem import problem
from progress.standing import HIDDEN, Look, Over, look_of, until_over
from progress.threads import in_thread
from progress.topic import Frame, Source, Topic
from progress.viewer import viewer_of
from progress.wire import encode

RETRY_MILLISECONDS = 2_000
# Before who has too many streams open may ask for one more.
RETRY_AFTER_SECONDS = 10
CROWDED = Over(
    CLOSE_OVERLOAD,
    "too_many_streams",
    "There are as many sockets and event streams open as one client may have.",
    "Close one of them. The operator can raise ARCHON_SOCKETS_PER_CLIENT.",
)


class Events(NamedTuple):
    """A topic as an event stream: `first(since)` and `resync()` read the database, as for its sockets.

    `hidden()` says whether it is not for the reader's eyes, who is then told `nothing` and no more. It is asked
    before anything is shown, and once in a while, as `look` is: who loses the right meanwhile is told so, and the
    stream ends. `client` is whose streams are counted together.
    """

    path: str
    shown_id: str
    topic: str
    source: Callable[[], Source]
    first: Callable[[int | None], Frames]
    resync: Callable[[], Frames]
    client: str
    look: Look
    hidden: Callable[[], bool] = lambda: False
    nothing: Frames = Frames([], 0)


@require_GET
async def progress_events(request: HttpRequest, progress_id: str) -> HttpResponseBase:
    return event_stream(
        request,
        Events(
            metrics.EVENTS_PATH,
            progress_id,
            progress_topic(progress_id),
            partial(ProgressSource, progress_id),
            partial(_first_frames, progress_id),
            partial(history.first_frame, progress_id, resync=True),
            client_of(request),
            look_of(request),
            partial(history.is_hidden, progress_id, viewer_of(request)),
            history.nothing_known(progress_id),
        ),
    )


def client_of(request: HttpRequest) -> str:
    return crowd.client_of(viewer_of(request), request.META.get("REMOTE_ADDR"))


def event_stream(request: HttpRequest, stream: Events) -> HttpResponseBase:
    if crowd.is_full(stream.client):
        return too_many()
    last = request.headers.get("Last-Event-ID") or request.GET.get("since", "")
    since = int(last) if last.isdecimal() and len(last) < 16 else None
    response = StreamingHttpResponse(_stream(stream, since), content_type="text/event-stream")
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"  # nginx would hold the events back
    return response


def too_many() -> HttpResponse:
    response = problem(429, CROWDED.message, CROWDED.code, CROWDED.hint)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


async def _stream(stream: Events, since: int | None) -> AsyncGenerator[str]:
    """Ends when Django closes it: the client went away, or the server stops."""
    reader = metrics.opened(stream.path, stream.shown_id)
    try:
        with crowd.counted(stream.client):
            async with aclosing(_events(stream, since)) as texts:
                async for text in texts:
                    with reader.sending(text):
                        yield text
    finally:
        reader.closed()


async def _events(stream: Events, since: int | None) -> AsyncGenerator[str]:
    if crowd.is_crowded(stream.client):  # others that came in the same moment were let in too
        yield closed(CROWDED)
        return
    topic = await hub().join(stream.topic, stream.source)
    shown = asyncio.Event()
    watch = asyncio.create_task(_until_over(stream, shown))
    try:
        first = await in_thread(stream.first, since)
        topic.start_at(first.position)
        # Asked after the reading, so that nothing becomes private between the two.
        hidden = await in_thread(stream.hidden)
        if first.position and not hidden:
            shown.set()
        told, live = (stream.nothing, _silence()) if hidden else (first, _live(topic, stream, first.position, shown))
        yield f"retry: {RETRY_MILLISECONDS}\n\n" + events(numbered(told))
        async with aclosing(_with_heartbeats(live, watch)) as texts:
            async for text in texts:
                yield text
    finally:
        watch.cancel()
        await hub().leave(topic)


async def _until_over(stream: Events, shown: asyncio.Event) -> Over:
    """What was never shown does not become hidden: of that the reader hears nothing at all."""

    def look() -> Over | None:
        return stream.look() or (HIDDEN if shown.is_set() and stream.hidden() else None)

    return await until_over(look)


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


async def _live(topic: Topic, stream: Events, position: int, shown: asyncio.Event) -> AsyncGenerator[list[Frame]]:
    """What follows; where the past is no longer kept, the present stands for it."""
    async for batch in topic.follow(position):
        if not shown.is_set():
            if await in_thread(stream.hidden):
                await asyncio.Event().wait()  # begun by somebody for themselves: to this reader nothing happened
            shown.set()
        newer = [frame for frame in batch if frame[0] > position]
        if newer and newer[0][0] > position + 1:
            newer = numbered(await in_thread(stream.resync))
        if newer:
            yield newer
            position = newer[-1][0]


async def _with_heartbeats(frames: AsyncIterator[list[Frame]], watch: asyncio.Task[Over]) -> AsyncGenerator[str]:
    """Events as text; a comment line whenever nothing happened for a heartbeat's time; why it ends, if it does."""
    waiting = asyncio.ensure_future(anext(frames))
    try:
        while True:
            # Not wait_for: cancelling the wait would end the generator behind it.
            either: set[asyncio.Future[Any]] = {waiting, watch}
            done, _ = await asyncio.wait(
                either, timeout=settings.HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if watch in done:
                yield closed(watch.result())
                return
            if done:
                yield events(waiting.result())
                waiting = asyncio.ensure_future(anext(frames))
            else:
                yield ": heartbeat\n\n"
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})


def closed(over: Over) -> str:
    """The last event, under a name of its own: it is no state of what was followed, and has no number."""
    why = {"code": over.code, "message": over.message, "hint": over.hint}
    return f"event: closed\ndata: {encode({'type': 'closed', 'data': {'code': over.close_code, 'error': why}})}\n\n"


def events(frames: list[Frame]) -> str:
    return "".join(f"id: {sequence}\ndata: {text}\n\n" for sequence, text in frames)
