"""Log lines as JSON objects, one a line, each with the operation that it is about.

`about(progress_id)` names that operation for every line logged inside the block, also by libraries.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import ClassVar

logger = logging.getLogger(__name__)

_progress_id: ContextVar[str] = ContextVar("progress_id", default="")


@contextmanager
def about(progress_id: str) -> Iterator[None]:
    token = _progress_id.set(progress_id)
    try:
        yield
    finally:
        _progress_id.reset(token)


@contextmanager
def alone(name: str, progress_id: str = "") -> Iterator[None]:
    """One turn of a loop over operations: what it raises is logged with its id, and the others have theirs."""
    with about(progress_id):
        try:
            yield
        except Exception:
            logger.exception("%s %s", name, progress_id)


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if progress_id := _progress_id.get():
            line["progressId"] = progress_id
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # ensure_ascii: a line stays one line, whatever a page had in its title.
        return json.dumps(line, default=str)


class Seldom(logging.Filter):
    """For lines that strangers can cause: a warning of one line without a traceback, and one within a minute for each
    logger. It tells how many were left out before it."""

    SECONDS = 60.0
    CHARS = 300
    # Of the class: logging is configured more than once in a process, and each time a logger gets a filter more.
    quiet_until: ClassVar[dict[str, float]] = {}
    left_out: ClassVar[dict[str, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, "left_out"):  # another filter has judged it
            return True
        name, now = record.name, time.monotonic()
        if now < self.quiet_until.get(name, 0.0):
            self.left_out[name] = self.left_out.get(name, 0) + 1
            return False
        self.quiet_until[name] = now + self.SECONDS
        left_out = self.left_out.pop(name, 0)
        record.__dict__["left_out"] = left_out
        told = f" ({left_out} more like this were left out)" if left_out else ""
        record.msg, record.args = record.getMessage()[: self.CHARS] + told, None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = record.stack_info = None
        return True
