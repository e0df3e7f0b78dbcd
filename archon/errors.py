"""What the server says to who may not, or asks for a key that cannot be given."""

from __future__ import annotations


class AccessError(Exception):
    """A machine `code`, a sentence, the next step, and the input at fault; `http_status` 403, 404 or 409."""

    def __init__(self, code: str, message: str, *, hint: str = "", field: str | None = None, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.field = field
        self.http_status = status
