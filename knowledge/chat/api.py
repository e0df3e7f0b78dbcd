"""REST of the chat, for clients without sockets. Views parse, call and render."""

from __future__ import annotations

from typing import Annotated, Any

from django.db.models import Count
from django.http import HttpRequest
from ninja import Query, Router, Status

from knowledge.chat import actions, events, schemas
from knowledge.chat.errors import UnknownSession
from knowledge.chat.messages import message_body
from knowledge.chat.models import ChatSession

router = Router(tags=["chat"])

MAX_ID = 2**63 - 1


def owner(request: HttpRequest) -> int | None:
    return actions.owner_of(request.user)


@router.post("/chat/sessions", response={201: schemas.Session}, summary="Begin a chat")
def create_session(request: HttpRequest, body: schemas.SessionIn) -> Status[dict[str, Any]]:
    """A session that exists already is answered as it is."""
    session = actions.create_session(owner(request), session_id=body.session_id, title=body.title)
    return Status(201, _session_body(session, session.messages.count()))


@router.get("/chat/sessions", response=schemas.ChatSessionList, summary="List the chats, the newest first")
def list_sessions(
    request: HttpRequest,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    sessions = ChatSession.objects.filter(owner=owner(request), deleted_at=None)
    shown = sessions.annotate(message_count=Count("messages")).order_by("-updated_at", "-pk")[
        (page - 1) * per_page : page * per_page
    ]
    return {
        "sessions": [_session_body(session, session.message_count) for session in shown],
        "total": sessions.count(),
        "page": page,
        "per_page": per_page,
    }


# The paths with a last word stand before the ones without: an id may hold slashes.
@router.post(
    "/chat/sessions/{path:session_id}/messages", response={202: schemas.MessageAccepted}, summary="Ask in a chat"
)
def send_message(request: HttpRequest, session_id: str, body: schemas.MessageIn) -> Status[dict[str, Any]]:
    """The session is made if there is none. One answer at a time: 409 while one is being written."""
    asked = actions.ask(owner(request), session_id, body.message, source_id=body.source_id)
    return Status(
        202,
        {
            "session_id": session_id,
            "question_id": asked.question.pk,
            "message_id": asked.answer.pk,
            "sequence": asked.sequence,
        },
    )


@router.post("/chat/sessions/{path:session_id}/stop", response=schemas.AnswerStopped, summary="Stop the answer")
def stop_answer(request: HttpRequest, session_id: str) -> dict[str, Any]:
    stopped = actions.stop(owner(request), session_id) is not None
    return {"message": "Answer stopped" if stopped else "No answer was being written", "stopped": stopped}


@router.get("/chat/sessions/{path:session_id}", response=schemas.SessionMessages, summary="A chat with its messages")
def read_session(
    request: HttpRequest,
    session_id: str,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Messages older than this id.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> dict[str, Any]:
    session = events.known(owner(request), session_id).filter(deleted_at=None).first()
    if session is None:
        raise UnknownSession.of(session_id)
    snapshot = events.snapshot(session)
    if before is not None or limit != len(snapshot["messages"]):
        older = session.messages.filter(**({"pk__lt": before} if before else {})).order_by("-pk")[:limit]
        messages = [message_body(one, text=events.text_so_far(one)) for one in reversed(older)]
        snapshot = {**snapshot, "messages": messages}
    return {**snapshot, "created_at": session.created_at, "updated_at": session.updated_at}


@router.delete("/chat/sessions/{path:session_id}", response=schemas.SessionDeleted, summary="Delete a chat")
def delete_session(request: HttpRequest, session_id: str) -> dict[str, Any]:
    actions.delete_session(owner(request), session_id)
    return {"message": "Chat deleted", "session_id": session_id}


def _session_body(session: ChatSession, message_count: int) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "title": session.title,
        "sequence": session.sequence,
        "message_count": message_count,
        "created_at": session.created_at,
        "updated_at": session.updated_at,
    }
