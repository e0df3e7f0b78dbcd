"""Celery shells: each takes ids or nothing, is safe to run twice, and calls an action."""

from __future__ import annotations

import logging
import time

from celery import shared_task
from kombu.exceptions import OperationalError

from knowledge import changes, purging, uploads

# Celery looks for tasks here.
from knowledge.chat import tasks as chat_tasks  # noqa: F401
from knowledge.embedding import EmbeddingError, embedder

logger = logging.getLogger(__name__)

PURGE_SECONDS = 60.0
WAKE_SECONDS = 1.0

_woken_at = -WAKE_SECONDS


@shared_task(ignore_result=True)
def purge() -> None:
    """Remove what deleted sources left behind, also those whose own message was lost."""
    changes.forget_old()
    deadline = time.monotonic() + PURGE_SECONDS
    while purging.purge_batch():
        if time.monotonic() > deadline:
            purge.delay()
            return


@shared_task(ignore_result=True, soft_time_limit=540, time_limit=570)
def ingest_upload(upload_id: int) -> None:
    """Read what was handed in. The limits stay below the broker's visibility timeout."""
    from knowledge.ingest import uploaded

    uploaded.run(upload_id)


@shared_task(ignore_result=True)
def embed_chunks(number: int) -> None:
    """One turn: embed a share of what waits for about a second, then hand on."""
    from knowledge.embedding import telling
    from knowledge.embedding.queue import Turn

    current = embedder()
    if current is None:
        return
    try:
        turn = Turn(number, current)
    except EmbeddingError as error:  # a remote one that cannot even tell its dimension: the sweep asks again
        logger.warning("no vectors: %s %s", error.message, error.hint)
        return
    if turn.run(telling.tell):
        embed_chunks.delay(number)


@shared_task(ignore_result=True)
def describe_code() -> None:
    """One question to the language model about code examples, then hand on: at most ASK_SECONDS of a worker."""
    from knowledge.describing import work

    if work.run():
        describe_code.delay()


@shared_task(ignore_result=True)
def sweep_vectors() -> None:
    """Wake a turn for every share, if anything waits; end a change of models. A lost message is repeated here."""
    from knowledge.embedding import queue, telling

    current = embedder()
    if current is None:
        return
    try:
        space = telling.current_space()
    except EmbeddingError as error:
        logger.warning("no vectors: %s %s", error.message, error.hint)
        return
    if space is None:
        return
    telling.follow_change(space)
    if queue.anything_waits(space):
        for number in queue.free_turns():
            embed_chunks.delay(number)


def wake_embedding() -> None:
    """After a commit that brought chunks or code. At most once a second per process: the turns find all that waits."""
    global _woken_at
    now = time.monotonic()
    if embedder() is None or now - _woken_at < WAKE_SECONDS:
        return
    _woken_at = now
    try:
        sweep_vectors.apply_async(expires=WAKE_SECONDS * 5)
    except OperationalError as error:
        logger.warning("broker is away, vectors wait for the sweep: %s", error)


@shared_task(ignore_result=True)
def sweep_uploads() -> None:
    """Uploads and imports whose message or worker was lost, and bytes that nobody needs."""
    from knowledge import portable

    uploads.sweep()
    portable.sweep()


@shared_task(ignore_result=True)
def import_source(progress_id: str) -> None:
    """Take an exported source for a while, then hand on."""
    from knowledge import portable

    if portable.run(progress_id):
        import_source.delay(progress_id)
