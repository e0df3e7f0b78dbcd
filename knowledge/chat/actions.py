"""The only ways a chat changes, for the socket, REST and the runner. Each tells it as a numbered event."""

from __future__ import annotations

import uuid
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from knowledge import allowance
from knowledge.chat import events, llm
from knowledge.chat.answer import EXTRACTIVE
from knowledge.chat.errors import BadMessage, ChatBusy, ChatOverloaded, UnknownSession
from knowledge.chat.messages import MESSAGE_CHARS, CitationBody, TypingBody, message_body
from knowledge.chat.models import SESSION_ID_CHARS, ChatEvent, ChatMessage, ChatSession
from knowledge.errors import UnknownSource
from knowledge.models import KnowledgeItem
from progress import usage
from progress.messages import ErrorBody
from progress.viewer import Viewer, account
from progress.wire import storable

# A process that writes answers says so every BEAT_SECONDS; one that was silent for STALE_SECONDS is dead.
BEAT_SECONDS = 3.0
STALE_SECONDS = 15.0
TITLE_CHARS = 80
# Events of a conversation that rests are a second copy of its messages.
EVENTS_KEPT = timedelta(hours=1)
ROWS_PER_STATEMENT = 500

State = ChatMessage.State
INTERRUPTED: ErrorBody = {
    "code": "chat_interrupted",
    "message": "The server stopped while it wrote this answer, or could store nothing for a while.",
    "hint": "Ask again.",
}


class Asked(NamedTuple):
    question: ChatMessage
    answer: ChatMessage
    # Of the event that told of them.
    sequence: int


def owner_of(user: object) -> int | None:
    """Whose chats these are: an account's on a server; in local mode there is one person and no account."""
    if settings.LOCAL_MODE or not getattr(user, "is_authenticated", False):
        return None
    return int(user.pk)  # type: ignore[attr-defined]


# ---- sessions ----


def create_session(owner_id: int | None, *, session_id: str = "", title: str = "") -> ChatSession:
    """An existing session of this id is returned as it is. Raises BadMessage for an id that cannot be one."""
    with transaction.atomic():
        session = _session(owner_id, session_id or str(uuid.uuid4()))
        if title and not session.title:
            session.title = storable(title)[:200]
        session.deleted_at = None
        session.save()
    return session


def delete_session(owner_id: int | None, session_id: str) -> None:
    """Its messages are gone with the answer to this; an answer that streams ends with them."""
    with transaction.atomic():
        session = _locked(owner_id, session_id)
        _end_runs(list(session.messages.filter(state=State.STREAMING).values_list("pk", flat=True)))
        session.events.all().delete()
        session.messages.all().delete()
        session.title, session.deleted_at = "", timezone.now()
        events.record_snapshot(session)


def _session(owner_id: int | None, session_id: str) -> ChatSession:
    """Locked; made if there is none."""
    if not session_id or len(session_id) > SESSION_ID_CHARS or session_id != storable(session_id):
        message = f"A session id is 1 to {SESSION_ID_CHARS} characters of text."
        raise BadMessage(message, hint="Leave it out to get a new one.", field="session_id")
    found = events.known(owner_id, session_id).select_for_update(no_key=True).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            return ChatSession.objects.create(owner_id=owner_id, session_id=session_id)
    except IntegrityError:  # another tab was first
        return events.known(owner_id, session_id).select_for_update(no_key=True).get()


def _locked(owner_id: int | None, session_id: str) -> ChatSession:
    session = events.known(owner_id, session_id).filter(deleted_at=None).select_for_update(no_key=True).first()
    if session is None:
        raise UnknownSession.of(session_id)
    return session


# ---- asking and stopping ----


def ask(owner_id: int | None, session_id: str, text: str, *, source_id: str | None = None) -> Asked:
    """Store the question, begin its answer. Raises BadMessage, UnknownSource, UsedUp, ChatBusy and ChatOverloaded."""
    from knowledge.chat.runner import runner

    text = _question_text(text)
    source = _source(source_id, account(owner_id))
    allowance.check(owner_id, usage.Kind.QUESTIONS)
    if runner().full:
        raise ChatOverloaded("Too many answers are being written.", hint="Try again in a moment.")
    with transaction.atomic():
        session = _session(owner_id, session_id)
        _make_way(session)
        session.title = session.title or " ".join(text.split())[:TITLE_CHARS]
        session.deleted_at = None
        question = session.messages.create(role=ChatMessage.Role.USER, text=text, source_id=source)
        answer = session.messages.create(
            role=ChatMessage.Role.ASSISTANT,
            state=State.STREAMING,
            source_id=source,
            model=llm.label() or EXTRACTIVE,
            runner=runner().name,
            beat_at=timezone.now(),
        )
        body = {"question": message_body(question), "message": message_body(answer)}
        events.record(session, "chat_started", body, answer)
        usage.note(owner_id, usage.Kind.QUESTIONS, 1)
        transaction.on_commit(partial(runner().start, answer.pk), robust=True)
    return Asked(question, answer, session.sequence)


def _question_text(text: str) -> str:
    cleaned = storable(text).strip()
    if not cleaned:
        raise BadMessage("The message is empty.", hint="Ask something.", field="message")
    if len(cleaned) > MESSAGE_CHARS:
        message = f"The message has {len(cleaned)} characters: expected at most {MESSAGE_CHARS}."
        raise BadMessage(message, hint="Ask the question alone.", field="message")
    return cleaned


def _source(source_id: str | None, viewer: Viewer) -> str:
    if not source_id:
        return ""
    if not KnowledgeItem.objects.visible_to(viewer).filter(source_id=storable(source_id)).exists():
        raise UnknownSource.of(source_id)
    return source_id


def _make_way(session: ChatSession) -> None:
    """One answer at a time; one whose process died is ended here, not waited for."""
    streaming = session.messages.filter(state=State.STREAMING).first()
    if streaming is None:
        return
    if streaming.beat_at is not None and streaming.beat_at > timezone.now() - timedelta(seconds=STALE_SECONDS):
        raise ChatBusy("An answer is still being written here.", hint="Wait for it, or stop it first.")
    _end(session, streaming, State.FAILED, error=INTERRUPTED)


def stop(owner_id: int | None, session_id: str) -> ChatMessage | None:
    """The answer that streamed, ended with what was written of it; None when there was none."""
    with transaction.atomic():
        session = _locked(owner_id, session_id)
        streaming: ChatMessage | None = session.messages.filter(state=State.STREAMING).first()
        if streaming is not None:
            _end(session, streaming, State.STOPPED)
            _end_runs([streaming.pk])
    return streaming


def _end_runs(message_ids: list[int]) -> None:
    """At once if it is this process that writes them; another one notices with its next piece or beat."""
    from knowledge.chat.runner import runner

    for message_id in message_ids:
        transaction.on_commit(partial(runner().cancel, message_id), robust=True)


# ---- writing the answer ----


def tell_typing(message_id: int, body: TypingBody) -> None:
    with transaction.atomic():
        session, message = _of_answer(message_id)
        if message is not None:
            events.record(session, events.TYPING, body, message)


def complete(message_id: int, *, text: str, citations: list[CitationBody], model: str) -> None:
    """Quiet when it was stopped meanwhile."""
    with transaction.atomic():
        session, message = _of_answer(message_id)
        if message is None:
            return
        message.citations = citations
        if citations:
            events.record(session, "chat_citations", {"message_id": message.pk, "citations": citations}, message)
        _end(session, message, State.COMPLETE, text=text, model=model)


def fail(message_id: int, error: ErrorBody, *, model: str = "") -> None:
    """What was written stays, and the reason with it. Quiet when it had ended already."""
    with transaction.atomic():
        session, message = _of_answer(message_id)
        if message is not None:
            _end(session, message, State.FAILED, error=error, model=model)


def beat(runner_name: str, message_ids: set[int]) -> set[int]:
    """Say that this process still writes these answers; returns those that it is to go on with."""
    mine = ChatMessage.objects.filter(pk__in=message_ids, runner=runner_name, state=State.STREAMING)
    mine.update(beat_at=timezone.now())
    return set(mine.values_list("pk", flat=True))


def interrupt(runner_name: str) -> None:
    """End all answers of a process that stops."""
    for pk in ChatMessage.objects.filter(runner=runner_name, state=State.STREAMING).values_list("pk", flat=True):
        fail(pk, INTERRUPTED)


def sweep() -> int:
    """End the answers of processes that died; returns how many. No answer streams for ever."""
    before = timezone.now() - timedelta(seconds=STALE_SECONDS)
    stale = ChatMessage.objects.filter(state=State.STREAMING, beat_at__lt=before).values_list("pk", flat=True)
    pks = list(stale)
    for pk in pks:
        fail(pk, INTERRUPTED)
    return len(pks)


def trim() -> None:
    """Forget the events of conversations that rest: a socket that asks for them gets a snapshot marked `resync`."""
    resting = ChatSession.objects.filter(updated_at__lt=timezone.now() - EVENTS_KEPT)
    old = ChatEvent.objects.filter(session__in=resting).exclude(session__messages__state=State.STREAMING)
    while pks := list(old.values_list("pk", flat=True)[:ROWS_PER_STATEMENT]):
        ChatEvent.objects.filter(pk__in=pks).delete()


def _of_answer(message_id: int) -> tuple[ChatSession, ChatMessage | None]:
    """The session, locked, and the answer if it still streams."""
    sessions = ChatSession.objects.select_for_update(no_key=True, of=("self",))
    session = sessions.filter(messages=message_id).first()
    if session is None:  # deleted meanwhile
        return ChatSession(), None
    return session, session.messages.filter(pk=message_id, state=State.STREAMING).first()


def _end(
    session: ChatSession,
    message: ChatMessage,
    state: ChatMessage.State,
    *,
    text: str | None = None,
    error: ErrorBody | None = None,
    model: str = "",
) -> None:
    message.text = events.text_so_far(message) if text is None else text
    message.state = state
    message.error = dict(error or {})
    message.model = model or message.model
    message.completed_at = timezone.now()
    message.save()
    body = message_body(message)
    if error is None:
        events.record(session, "chat_completed", {"message": body}, message)
    else:
        events.record(session, "chat_error", {"error": error, "message": body}, message)
