"""Celery shells: each takes ids or nothing, is safe to run twice, and calls an action."""

from __future__ import annotations

import time

from celery import shared_task

from knowledge import actions, uploads

# Celery looks for tasks here.
from knowledge.chat import tasks as chat_tasks  # noqa: F401

PURGE_SECONDS = 60.0


@shared_task(ignore_result=True)
def purge() -> None:
    """Remove what deleted sources left behind, also those whose own message was lost."""
    deadline = time.monotonic() + PURGE_SECONDS
    while actions.purge_batch():
        if time.monotonic() > deadline:
            purge.delay()
            return


@shared_task(ignore_result=True, soft_time_limit=540, time_limit=570)
def ingest_upload(upload_id: int) -> None:
    """Read what was handed in. The limits stay below the broker's visibility timeout."""
    from knowledge.ingest import uploaded

    uploaded.run(upload_id)


@shared_task(ignore_result=True)
def sweep_uploads() -> None:
    """Uploads whose message or worker was lost, and bytes that nobody needs."""
    uploads.sweep()
