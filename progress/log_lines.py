"""Log lines as JSON objects, one a line, each with the operation that it is about.

`about(progress_id)` names that operation for every line logged inside the block, also by libraries.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_progress_id: ContextVar[str] = ContextVar("progress_id", default="")


@contextmanager
def about(progress_id: str) -> Iterator[None]:
    token = _progress_id.set(progress_id)
    try:
        yield
    finally:
        _progress_id.reset(token)


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
