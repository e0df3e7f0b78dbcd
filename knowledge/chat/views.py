"""Server-Sent Events of one chat: the frames of its WebSocket, with Last-Event-ID to go on from."""

from __future__ import annotations

from functools import partial

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from knowledge.chat import actions, events
from knowledge.chat.consumers import ChatSource
from progress.history import Frames
from progress.standing import look_of
from progress.threads import in_thread
from progress.views import Events, client_of, event_stream

PATH = "/api/chat/sessions/{session_id}/events"


@require_GET
async def chat_events(request: HttpRequest, session_id: str) -> HttpResponseBase:
    owner_id = await in_thread(_owner, request)
    return event_stream(
        request,
        Events(
            PATH,
            session_id,
            events.chat_topic(owner_id, session_id),
            partial(ChatSource, owner_id, session_id),
            partial(_first, owner_id, session_id),
            partial(events.first_frame, owner_id, session_id, resync=True),
            client_of(request),
            look_of(request),
        ),
    )


def _owner(request: HttpRequest) -> int | None:
    """The session that names the user is read from the database."""
    return actions.owner_of(request.user)


def _first(owner_id: int | None, session_id: str, since: int | None) -> Frames:
    if since is None:
        return events.first_frame(owner_id, session_id)
    return events.frames_since(owner_id, session_id, since)
