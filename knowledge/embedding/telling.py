"""How far the vectors of a source are, told to whatever fills it; and of a changed model to an id of its own."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from knowledge.embedding import queue, spaces
from knowledge.embedding.embedder import embedder
from knowledge.embedding.models import ChunkVector, EmbeddingSpace
from knowledge.models import Chunk, KnowledgeItem
from progress import tracker
from progress.errors import ProgressEnded, UnknownProgress
from progress.models import Progress
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


def progress_of(space: EmbeddingSpace) -> str:
    return f"embed-{space.pk}"


def follow_change(space: EmbeddingSpace) -> None:
    """While another model's vectors serve: tell how far the new ones are, and swap when none is missing."""
    if space.state == EmbeddingSpace.State.SERVING:
        return
    missing = queue.pending(space=space).count()
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
    if not missing and spaces.swap(space):
        try:
            tracker.complete(progress_of(space), lines=[f"Vectors of {space.name} serve from now on."])
        except ProgressEnded:
            pass
        spaces.drop_others(space)


def current_space() -> EmbeddingSpace | None:
    """The configured embedder's space, made when it is new. Raises EmbeddingError."""
    current = embedder()
    return spaces.target(current) if current else None
