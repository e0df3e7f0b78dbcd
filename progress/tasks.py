"""Celery tasks of this app: keeping the tables within their limits."""

from __future__ import annotations

from celery import shared_task

from progress import retention


@shared_task(ignore_result=True)
def trim() -> None:
    retention.trim()
