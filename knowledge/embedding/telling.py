"""How far the vectors of a source are, told to whatever fills it; and of a changed model to an id of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from knowledge.describing.telling import undescribed
from knowledge.embedding import queue, spaces
from knowledge.embedding.embedder import embedder
from knowledge.embedding.kinds import EXAMPLES
from knowledge.embedding.models import ChunkVector, EmbeddingSpace
from knowledge.models import Chunk, KnowledgeItem
from progress import tracker
from progress.errors import ProgressEnded, UnknownProgress
from progress.models import Progress
from progress.plural import plural
from progress.status import Status


def tell(item_ids: Sequence[int]) -> None:
    """Sources that gained vectors; those that miss none any more are handed to the listeners."""
    complete = []
    for item in KnowledgeItem.objects.filter(pk__in=item_ids):
        embedded = queue.embedded_count(item.pk)
        for progress_id in Progress.objects.active().filter(source_id=item.source_id).values_list("pk", flat=True):
            _show(progress_id, embedded)
        if not queue.pending([item.pk]).exists():
            complete.append(item.pk)
    for listener in queue.embedded_listeners if complete else ():
        listener(complete)


def _show(progress_id: str, embedded: int) -> None:
    """A refresh counts its chunks anew while it goes, and has old vectors: never more than it has counted."""
    try:
        with transaction.atomic():
            row = tracker.lock(progress_id)
            count = min(embedded, row.chunks_stored)
            if count != row.embedded_chunks:
                tracker.update(progress_id, row=row, set_={"embedded_chunks": count})
    except (ProgressEnded, UnknownProgress):
        pass


def waits_for_vectors(item_id: int, row: Progress) -> bool:
    """A crawl or an upload is complete when its chunks have vectors; what is stored is found by its words meanwhile.

    With an embedder that is away it ends after ARCHON_EMBED_WAIT_SECONDS, and says what is missing.
    """
    if not queue.pending([item_id]).exists():
        return False
    waiting = Status(row.status) is Status.EMBEDDING
    since = _away_since(row)
    if waiting and since is not None and (timezone.now() - since).total_seconds() >= settings.EMBED_WAIT_SECONDS:
        return False
    if not waiting:
        chunks = plural(row.chunks_stored, "chunk gets a vector", "chunks get vectors")
        line = f"All pages are stored and can be searched by their words; {chunks}"
        tracker.update(row.id, row=row, status=Status.EMBEDDING, lines=[line])
    return True


def _away_since(row: Progress) -> datetime | None:
    """None while the embedder gives vectors. One that never gave any has no space to note it in."""
    space = queue.current()
    if space is None:
        return row.event_at
    return max(space.away_since, row.event_at) if space.away_since is not None else None


def missing_vectors(item_id: int) -> list[str]:
    """Sentences for the end of an operation: which chunks have no vector, and why."""
    said = []
    if missing := queue.pending([item_id]).count():
        away = queue.away()
        reason = f" ({away.away_reason})" if away is not None else ""
        chunks = plural(missing, "chunk has", "chunks have")
        said.append(f"{chunks} no vector yet{reason}; vectors follow when the embedder answers.")
    if refused := queue.refused(item_id):
        said.append(f"{plural(refused, 'chunk was', 'chunks were')} refused by the embedder, and found by words only.")
    if of_code := queue.pending([item_id], kind=EXAMPLES).count():
        said.append(f"{plural(of_code, 'code example is', 'code examples are')} found by words; the vectors follow.")
    if lists := queue.link_lists(item_id):
        said.append(f"{plural(lists, 'chunk is a list', 'chunks are lists')} of links, and found by words only.")
    return [*said, *undescribed(item_id)]


def progress_of(space: EmbeddingSpace) -> str:
    return f"embed-{space.pk}"


def follow_change(space: EmbeddingSpace) -> None:
    """While another model's vectors serve: tell how far the new ones are, and swap when none is missing."""
    if space.state == EmbeddingSpace.State.SERVING:
        return
    missing = queue.pending(space=space).count()
    of_code = queue.pending(space=space, kind=EXAMPLES).exists()
    with transaction.atomic():
        row = Progress.objects.filter(pk=progress_of(space)).first()
        if row is None:
            line = f"Embedding everything anew with {space.name}; the vectors that serve now go on until it is done."
            tracker.create(Progress.Kind.EMBED, progress_id=progress_of(space), lines=[line])
            row = tracker.update(progress_of(space), status=Status.EMBEDDING)
        if not row.ended:
            total = Chunk.objects.visible().count()
            done = ChunkVector.objects.filter(space=space, vector__isnull=False).count()
            counts = {"total_pages": total, "processed_pages": total - missing, "chunks_stored": total}
            tracker.update(row.id, set_={**counts, "embedded_chunks": done})
    if not missing and not of_code and spaces.swap(space):
        try:
            tracker.complete(progress_of(space), lines=[f"Vectors of {space.name} serve from now on."])
        except ProgressEnded:
            pass
        spaces.drop_others(space)


def current_space() -> EmbeddingSpace | None:
    """The configured embedder's space, made when it is new. Raises EmbeddingError."""
    current = embedder()
    return spaces.target(current) if current else None
