"""Celery shells: each takes ids or nothing, is safe to run twice, and calls an action."""

from __future__ import annotations

import time

from celery import shared_task

from knowledge import actions

PURGE_SECONDS = 60.0


@shared_task(ignore_result=True)
def purge() -> None:
    """Remove what deleted sources left behind, also those whose own message was lost."""
    deadline = time.monotonic() + PURGE_SECONDS
    while actions.purge_batch():
        if time.monotonic() > deadline:
            purge.delay()
            return
