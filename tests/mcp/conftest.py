"""Assistants in this process, and the rows of the log that their calls leave."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.db import connection

from progress.log_rows import LOGGER, LogRecordHandler
from progress.models import LogRecord
from progress.threads import close_pool_connections

INDEXES = {
    "sqlite": ("knowledge_chunk_fts", "knowledge_example_fts"),
    "postgresql": ("knowledge_chunk_words", "knowledge_example_words"),
}


class LogRows:
    """What was logged so far, as rows."""

    def __init__(self, handler: LogRecordHandler) -> None:
        self._handler = handler

    def all(self) -> list[LogRecord]:
        self._handler.flush()
        return list(LogRecord.objects.order_by("pk"))


@pytest.fixture
def log_rows(transactional_db: None) -> LogRows:
    LogRecord.objects.all().delete()
    return LogRows(log_handler())


def log_handler() -> LogRecordHandler:
    (handler,) = [one for one in logging.getLogger(LOGGER).handlers if isinstance(one, LogRecordHandler)]
    return handler


@pytest.fixture(autouse=True)
def clean_ends(transactional_db: None) -> Iterator[None]:
    """What is still to be logged is written while there is a database; no transaction of the test is open that it
    could wait for. The indexes are no models, so the flush after a test leaves them; their words would compete in the
    next one."""
    yield
    close_pool_connections()
    log_handler().close()
    with connection.cursor() as cursor:
        for table in INDEXES[connection.vendor]:
            cursor.execute(f"DELETE FROM {table}")
