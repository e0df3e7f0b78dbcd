"""What is logged to `mcp.server`, as rows of the MCP log.

Logging is configured before the models exist, so they are imported with the first record.
"""

from __future__ import annotations

import contextlib
import logging
import os
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from django.db import close_old_connections, connections

# The name of our own records. The MCP SDK logs below it; of that only warnings are for people to see.
LOGGER = "mcp.server"


class LogRecordHandler(logging.Handler):
    """Writes a row per record; `extra={"metadata": {...}}` becomes its metadata.

    From a thread of its own, in the order of the calls: a record may be logged inside an event
    loop, where the database must not be touched.
    """

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._writers: dict[int, ThreadPoolExecutor] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != LOGGER and record.levelno < logging.WARNING:
            return
        with contextlib.suppress(RuntimeError):  # the interpreter is ending, no thread can start
            self._writer().submit(self._write, record)

    def _writer(self) -> ThreadPoolExecutor:
        """Per process id: a forked child has none of its parent's threads."""
        pid = os.getpid()
        if pid not in self._writers:
            self._writers = {pid: ThreadPoolExecutor(max_workers=1, thread_name_prefix="mcp-log")}
        return self._writers[pid]

    def _write(self, record: logging.LogRecord) -> None:
        from progress import logs

        try:
            close_old_connections()
            at = datetime.fromtimestamp(record.created, UTC)
            logs.write(record.levelname, record.name, record.getMessage(), metadata_of(record), timestamp=at)
        except Exception:  # logging must not end the program that logs
            self.handleError(record)
        finally:
            close_old_connections()

    def flush(self) -> None:
        """Wait until what was logged so far is stored."""
        writer = self._writers.get(os.getpid())
        if writer is not None:
            with contextlib.suppress(RuntimeError):  # at exit the threads are joined already
                writer.submit(lambda: None).result()

    def close(self) -> None:
        writer = self._writers.pop(os.getpid(), None)
        if writer is not None:
            with contextlib.suppress(RuntimeError):
                writer.submit(connections.close_all).result()
            writer.shutdown()
        super().close()


def metadata_of(record: logging.LogRecord) -> dict[str, Any]:
    given = getattr(record, "metadata", None)
    metadata: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    if record.exc_info and record.exc_info[1] is not None:
        metadata["error"] = "".join(traceback.format_exception_only(record.exc_info[1])).strip()
    return metadata
