"""Numbered events of a session: written with the change they tell, published on commit, read back in order.

The pieces of all answers that this process writes are recorded together: one transaction each
few hundredths of a second, however many answers stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from knowledge.chat.messages import SNAPSHOT_MESSAGES, SnapshotBody, Stage, TypingBody, message_body
from knowledge.chat.models import SESSION_ID_CHARS, ChatEvent, ChatMessage, ChatSession
from progress.history import CHARS_PER_READ, EVENTS_PER_READ, Frames
from progress.publish import publish_on_commit
from progress.wire import encode

CHUNK = "chat_chunk"
TYPING = "chat_typing"
# Snapshots are read without a lock first: SQLite has one for all writers, and crawls need it.
UNLOCKED_READS = 3


def chat_topic(owner_id: int | None, session_id: str) -> str:
    return f"chat:{owner_id or ''}:{session_id}"


def known(owner_id: int | None, session_id: str) -> QuerySet[ChatSession]:
    """At most one row, deleted ones too. No id holds a NUL, which PostgreSQL refuses in a parameter."""
    if "\0" in session_id or len(session_id) > SESSION_ID_CHARS:
        return ChatSession.objects.none()
    return ChatSession.objects.filter(owner=owner_id, session_id=session_id)


# ---- writing ----


def record(session: ChatSession, kind: str, body: Mapping[str, Any], message: ChatMessage | None = None) -> None:
    """The next event of a session whose row the caller has locked in this transaction."""
    session.sequence += 1
    session.updated_at = timezone.now()
    session.save(update_fields=["sequence", "updated_at", "title", "deleted_at"])
    frame = _frame(kind, session, body)
    ChatEvent.objects.create(session=session, message=message, sequence=session.sequence, type=kind, frame=frame)
    publish_on_commit(chat_topic(session.owner_id, session.session_id), frame, sequence=session.sequence)


def record_snapshot(session: ChatSession) -> None:
    """What was told so far no longer holds: the snapshot is an event of its own."""
    session.sequence += 1
    session.save()
    frame = snapshot_frame(session)
    ChatEvent.objects.create(session=session, sequence=session.sequence, type="chat_snapshot", frame=frame)
    publish_on_commit(chat_topic(session.owner_id, session.session_id), frame, sequence=session.sequence)


def record_chunks(chunks: Mapping[int, tuple[int, str]]) -> set[int]:
    """{message id: (index, delta)} -> the ids of the messages that still stream; nothing was written for the others.

    Sessions are locked in the order of their ids, as everybody else locks one at a time.
    """
    with transaction.atomic():
        sessions = ChatSession.objects.filter(messages__in=chunks, messages__state="streaming")
        wanted = list(sessions.values_list("pk", flat=True))
        locked = ChatSession.objects.filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True)
        pks = list(locked.values_list("pk", flat=True))
        # Asked again under the locks: one that was stopped meanwhile takes no further piece.
        live = dict(
            ChatMessage.objects.filter(pk__in=chunks, session__in=pks, state="streaming").values_list(
                "session_id", "pk"
            )
        )
        ChatSession.objects.filter(pk__in=live).update(sequence=F("sequence") + 1)
        events = [_chunk(row, live[row.pk], *chunks[live[row.pk]]) for row in ChatSession.objects.filter(pk__in=live)]
        ChatEvent.objects.bulk_create(events)
        for event in events:
            topic = chat_topic(event.session.owner_id, event.session.session_id)
            publish_on_commit(topic, event.frame, sequence=event.sequence)
    return set(live.values())


def _chunk(session: ChatSession, message_id: int, index: int, delta: str) -> ChatEvent:
    frame = _frame(CHUNK, session, {"message_id": message_id, "index": index, "delta": delta})
    return ChatEvent(session=session, message_id=message_id, sequence=session.sequence, type=CHUNK, frame=frame)


def _frame(kind: str, session: ChatSession, body: Mapping[str, Any]) -> str:
    numbered = {"session_id": session.session_id, "sequence": session.sequence, **body}
    return encode({"type": kind, "data": numbered})


# ---- reading ----


def text_so_far(message: ChatMessage) -> str:
    """What has been written of an answer: of one that streams, the sum of its pieces."""
    if message.state != ChatMessage.State.STREAMING:
        return message.text
    return "".join(json.loads(frame)["data"]["delta"] for frame in _frames_of(message, CHUNK))


def _frames_of(message: ChatMessage, kind: str) -> Iterable[str]:
    return ChatEvent.objects.filter(message=message, type=kind).order_by("sequence").values_list("frame", flat=True)


def snapshot(session: ChatSession, *, resync: bool = False) -> SnapshotBody:
    messages = list(session.messages.order_by("-id")[:SNAPSHOT_MESSAGES])[::-1]
    streaming = next((message for message in messages if message.state == ChatMessage.State.STREAMING), None)
    body: SnapshotBody = {
        "session_id": session.session_id,
        "sequence": session.sequence,
        "title": session.title,
        "messages": [message_body(message, text=text_so_far(message)) for message in messages],
        "total_messages": session.messages.count(),
        "typing": typing_body(streaming) if streaming else None,
    }
    if resync:
        body["resync"] = True
    return body


def typing_body(message: ChatMessage) -> TypingBody:
    """From its events: the newest typing notice, until the first piece of text."""
    if ChatEvent.objects.filter(message=message, type=CHUNK).exists():
        return typing(message.pk, "writing")
    told = list(_frames_of(message, TYPING))
    if not told:
        return typing(message.pk, "searching")
    data = json.loads(told[-1])["data"]
    return typing(message.pk, data["stage"], data["note"], data["retry_in"])


def typing(message_id: int, stage: Stage, note: str = "", retry_in: float | None = None) -> TypingBody:
    return {"message_id": message_id, "stage": stage, "note": note, "retry_in": retry_in}


def snapshot_frame(session: ChatSession, *, resync: bool = False) -> str:
    return encode({"type": "chat_snapshot", "data": snapshot(session, resync=resync)})


def first_frame(owner_id: int | None, session_id: str, *, resync: bool = False) -> Frames:
    """The conversation as it stands; an empty one for an id that nobody has written to yet."""
    for _ in range(UNLOCKED_READS):
        session = known(owner_id, session_id).first()
        if session is None:
            return Frames([snapshot_frame(ChatSession(pk=0, session_id=session_id), resync=resync)], 0)
        frame = snapshot_frame(session, resync=resync)
        # The number and the texts must be of one moment, or a piece would be told twice.
        if latest_sequence(owner_id, session_id) == session.sequence:
            return Frames([frame], session.sequence)
    with transaction.atomic():
        session = known(owner_id, session_id).select_for_update(no_key=True).get()
        return Frames([snapshot_frame(session, resync=resync)], session.sequence)


def frames_since(owner_id: int | None, session_id: str, since: int) -> Frames:
    """Every event after `since`, in order; one snapshot marked `resync` when they are no longer kept."""
    session = known(owner_id, session_id).first()
    if session is None:
        return first_frame(owner_id, session_id, resync=since > 0)
    frames = _after(session.pk, since)
    unbroken = frames[0][0] == since + 1 if frames else since == session.sequence
    if not unbroken:
        return first_frame(owner_id, session_id, resync=True)
    return Frames([text for _, text in frames], frames[-1][0] if frames else since)


def events_after(owner_id: int | None, session_id: str, sequence: int) -> list[tuple[int, str]]:
    """(sequence, frame) of the events after `sequence`, as many as one read may hold."""
    pk = known(owner_id, session_id).values_list("pk", flat=True).first()
    return _after(pk, sequence) if pk is not None else []


def latest_sequence(owner_id: int | None, session_id: str) -> int:
    return known(owner_id, session_id).values_list("sequence", flat=True).first() or 0


def _after(session_pk: int, sequence: int) -> list[tuple[int, str]]:
    rows = ChatEvent.objects.filter(session=session_pk, sequence__gt=sequence).order_by("sequence")
    frames: list[tuple[int, str]] = []
    chars = 0
    for row in rows.values_list("sequence", "frame")[:EVENTS_PER_READ]:
        frames.append(row)
        chars += len(row[1])
        if chars > CHARS_PER_READ:
            break
    return frames
