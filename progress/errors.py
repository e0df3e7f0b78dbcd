"""What can go wrong with progress.

ProgressError
├── UnknownProgress      404  no operation has this progress id
├── NotOwner             403  the source or operation is another account's to change
├── ProgressEnded        409  the operation already reached a terminal status
└── IllegalMove          409  the status table does not allow this move
"""

from __future__ import annotations

from typing import ClassVar


class ProgressError(Exception):
    """Carries a machine `code`, a sentence for people and the next step to take."""

    http_status: ClassVar[int] = 422
    code: ClassVar[str] = "progress_error"
    # Where a raise names no step of its own.
    next_step: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "", field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.next_step
        self.field = field


class UnknownProgress(ProgressError):
    http_status = 404
    code = "progress_unknown"
    next_step = "GET /api/progress/ lists what runs now; what is long over, or of a deleted source, is forgotten."


class NotOwner(ProgressError):
    http_status = 403
    code = "not_owner"


class ProgressEnded(ProgressError):
    http_status = 409
    code = "progress_ended"


class IllegalMove(ProgressError):
    http_status = 409
    code = "illegal_move"
