"""What can go wrong with a chat, beside the rest of knowledge's tree.

KnowledgeError
├── UnknownSession   404  no session has this id
├── BadMessage       422  the message cannot be asked
├── ChatBusy         409  an answer streams already
├── ChatOverloaded   503  too many answers stream in this process
└── AnswerFailed     502  the language model gave no answer
"""

from __future__ import annotations

from django.db import DatabaseError

from knowledge.errors import KnowledgeError
from progress import disk
from progress.messages import ErrorBody


class UnknownSession(KnowledgeError):
    http_status = 404
    code = "chat_session_unknown"

    @classmethod
    def of(cls, session_id: str) -> UnknownSession:
        hint = "GET /api/chat/sessions lists the sessions."
        return cls(f"No chat session has the id {session_id[:80]!r}.", hint=hint, field="session_id")


class BadMessage(KnowledgeError):
    code = "chat_message_bad"


class ChatBusy(KnowledgeError):
    http_status = 409
    code = "chat_busy"


class ChatOverloaded(KnowledgeError):
    http_status = 503
    code = "chat_overloaded"
    retry_after = 5


class AnswerFailed(KnowledgeError):
    """`retry_after`: in how many seconds the endpoint wishes to be asked again, when it said so."""

    http_status = 502
    code = "chat_failed"
    retry_after: float | None = None


DATABASE_FAILED: ErrorBody = {
    "code": "database_failed",
    "message": "The database does not answer.",
    "hint": "Try again in a few seconds.",
}


def error_body(error: KnowledgeError) -> ErrorBody:
    return {"code": error.code, "message": error.message, "hint": error.hint}


def database_error_body(error: DatabaseError) -> ErrorBody:
    return disk.FULL if disk.is_full(error) else DATABASE_FAILED
