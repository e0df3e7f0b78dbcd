"""Celery shells of the chat. Answers are not written here: knowledge/chat/runner.py."""

from __future__ import annotations

from celery import shared_task

from knowledge.chat import actions


@shared_task(ignore_result=True)
def sweep_chats() -> None:
    """End the answers of web processes that died."""
    actions.sweep()


@shared_task(ignore_result=True)
def trim_chats() -> None:
    actions.trim()
