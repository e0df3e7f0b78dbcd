"""The MCP log: one row per line, streamed bare to `/api/mcp/logs/stream`.

Code with a database connection at hand calls `write`. Everything else logs to the logger
`mcp.server`, whose handler (progress/log_rows.py) writes from a thread of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from progress.groups import MCP_LOG_TOPIC
from progress.messages import McpLogRecord
from progress.models import LogRecord
from progress.publish import publish_on_commit
from progress.wire import Json, encode, to_wire

SNAPSHOT_RECORDS = 100
RECORDS_PER_READ = 500
# A line longer than this is a page's text gone astray, not a log line.
MESSAGE_CHARS = 20_000
LEVEL_CHARS = 16
LOGGER_CHARS = 128
# Names the lock of `_in_order` among the advisory locks of the database.
ORDER_LOCK = 0x6D63706C


def write(
    level: str,
    logger: str,
    message: str,
    metadata: dict[str, Any] | None = None,
    *,
    timestamp: datetime | None = None,
) -> LogRecord:
    """Store one line and tell the sockets. `metadata` holds client_id, tool_name, execution_time and more."""
    with transaction.atomic():
        _in_order()
        row = LogRecord.objects.create(
            timestamp=timestamp or timezone.now(),
            level=_storable(level)[:LEVEL_CHARS],
            logger=_storable(logger)[:LOGGER_CHARS],
            message=_storable(message)[:MESSAGE_CHARS],
            metadata=_without_nul(to_wire(metadata or {})),
        )
        publish_on_commit(MCP_LOG_TOPIC, "", sequence=row.pk)
    return row


def _in_order() -> None:
    """Until the commit no other writer takes an id, so ids become visible in their order.

    A reader goes on from the newest id it saw: a smaller one that is committed later would never
    be shown. SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ORDER_LOCK])


def _storable(text: str) -> str:
    return str(_without_nul(to_wire(str(text))))


def _without_nul(value: Json) -> Json:
    """PostgreSQL stores no NUL, neither in text nor in JSON."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {key.replace("\0", "\ufffd"): _without_nul(item) for key, item in value.items()}
    return value


def clear() -> int:
    """Forget every record; how many there were. Open streams go on with the next one: ids are not used again."""
    deleted, _ = LogRecord.objects.all().delete()
    return deleted


def body_of(record: LogRecord) -> McpLogRecord:
    return {
        "id": record.pk,
        "timestamp": record.timestamp,
        "level": record.level,
        "logger": record.logger,
        "message": record.message,
        "metadata": record.metadata,
    }


def frames_of(records: Iterable[LogRecord]) -> list[tuple[int, str]]:
    return [(record.pk, encode(body_of(record))) for record in records]


def after(record_id: int) -> list[tuple[int, str]]:
    return frames_of(LogRecord.objects.filter(pk__gt=record_id).order_by("pk")[:RECORDS_PER_READ])


def newest(count: int) -> list[LogRecord]:
    """The last `count` records, oldest first."""
    return list(LogRecord.objects.order_by("-pk")[:count])[::-1]


def latest_id() -> int:
    return LogRecord.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
