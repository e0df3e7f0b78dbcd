"""Chunks that have no vector yet, and the turns in which workers make them.

A chunk waits as long as it has no row in the embedder's space, so storing a page costs nothing for
it, and no lost message loses a vector. The chunks are shared out by their ids: each turn is one share, held by
one worker at a time for a short while, so that a crawl that starts never waits long for a worker.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from knowledge.embedding import spaces
from knowledge.embedding.embedder import Embedder, EmbeddingError, Vectors, embedder
from knowledge.embedding.models import ERROR_CHARS, ChunkVector, EmbeddingSpace, EmbeddingTurn
from knowledge.embedding.text import embedded_text, is_link_list
from knowledge.models import Chunk
from knowledge.search.vectors import vector_index

logger = logging.getLogger(__name__)

BATCH_SIZE = 32
LEASE_SECONDS = 30.0
MAX_ATTEMPTS = 3
TRY_AGAIN = timedelta(minutes=5)
# Why a chunk has no vector and wants none.
LINK_LIST = "A list of links is found by its words only."

# Called with the ids of sources that have no chunk left to embed. Whoever stands above registers here:
# a crawl ends when its last vector is there, and this app knows no crawls.
embedded_listeners: list[Callable[[Sequence[int]], None]] = []


def pending(item_ids: Sequence[int] | None = None, *, space: EmbeddingSpace | None = None) -> QuerySet[Chunk]:
    """Chunks of visible sources without a vector in the embedder's space. Refused texts do not wait."""
    space = space or current()
    if space is None:
        return Chunk.objects.none() if embedder() is None else _of(Chunk.objects.visible(), item_ids)
    has_row = ChunkVector.objects.filter(space=space, chunk=OuterRef("pk"))
    return _of(Chunk.objects.visible().filter(~Exists(has_row)), item_ids)


def embedded_count(item_id: int) -> int:
    """Chunks of a source that have a vector in the embedder's space."""
    space = current()
    if space is None:
        return 0
    return ChunkVector.objects.filter(space=space, chunk__item=item_id, vector__isnull=False).count()


def away() -> EmbeddingSpace | None:
    """The embedder's space while the embedder gives nothing: `away_since`, `away_reason`."""
    space = current()
    return space if space is not None and space.away_since is not None else None


def current() -> EmbeddingSpace | None:
    """The embedder's space; None before it gave its first vector, and without an embedder."""
    asked = embedder()
    return EmbeddingSpace.objects.filter(name=asked.space).first() if asked else None


def _of(chunks: QuerySet[Chunk], item_ids: Sequence[int] | None) -> QuerySet[Chunk]:
    return chunks if item_ids is None else chunks.filter(item__in=item_ids)


def due_again(space: EmbeddingSpace) -> bool:
    refused = ChunkVector.objects.filter(space=space, vector=None, attempts__lt=MAX_ATTEMPTS)
    return refused.filter(next_at__lte=timezone.now()).exists()


def free_turns() -> list[int]:
    held = EmbeddingTurn.objects.filter(lease_until__gt=timezone.now()).values_list("number", flat=True)
    return sorted(set(range(turns())) - set(held))


def turns() -> int:
    return int(settings.WORKERS)


class Turn:
    """One share, held by this worker for about EMBED_SLICE_SECONDS."""

    def __init__(self, number: int, current: Embedder) -> None:
        self.number = number
        self.embedder = current
        self.space = spaces.target(current)
        self.owner = uuid.uuid4().hex
        self.after = 0
        self.sources: set[int] = set()
        self.last_told = time.monotonic()

    def run(self, tell: Callable[[Sequence[int]], None]) -> bool:
        """Embed until time or chunks run out; True when more wait. `tell` hears of sources that moved, now and then."""
        if not self._claim():
            return False
        ends_at = time.monotonic() + settings.EMBED_SLICE_SECONDS
        more = True
        try:
            while more and time.monotonic() < ends_at and self._renew():
                more = self._batch()
                if time.monotonic() - self.last_told > 1.0:
                    self._tell(tell)
        except EmbeddingError as error:
            spaces.embedder_away(self.space, error)
            more = False
        finally:
            EmbeddingTurn.objects.filter(number=self.number, owner=self.owner).update(lease_until=timezone.now())
        self._tell(tell)
        return more

    def _tell(self, tell: Callable[[Sequence[int]], None]) -> None:
        """Of what moved since the last time: a source is counted anew for it."""
        if self.sources:
            tell(sorted(self.sources))
            self.sources.clear()
        self.last_told = time.monotonic()

    def _claim(self) -> bool:
        if self.space.asked_again_at is not None and self.space.asked_again_at > timezone.now():
            return False
        EmbeddingTurn.objects.get_or_create(number=self.number)
        free = EmbeddingTurn.objects.filter(number=self.number, lease_until__lte=timezone.now())
        return bool(free.update(owner=self.owner, lease_until=_lease()))

    def _renew(self) -> bool:
        return bool(EmbeddingTurn.objects.filter(number=self.number, owner=self.owner).update(lease_until=_lease()))

    def _batch(self) -> bool:
        """False when nothing waits."""
        share = pending(space=self.space).annotate(share=F("pk") % turns()).filter(share=self.number)
        waiting = list(share.filter(pk__gt=self.after).order_by("pk")[:BATCH_SIZE]) or self._due_again()
        if not waiting:
            return False
        self.after = max(self.after, waiting[-1].pk)
        self.sources |= {chunk.item_id for chunk in waiting}
        lists = [chunk for chunk in waiting if is_link_list(chunk.content)]
        self._leave_out(lists)
        waiting = [chunk for chunk in waiting if chunk not in lists]
        known = self._known(waiting)
        new = [chunk for chunk in waiting if chunk.content_hash not in known]
        self._store([(chunk, known[chunk.content_hash]) for chunk in waiting if chunk.content_hash in known])
        for some, vectors in self._embedded(new):
            self._store([(chunk, vector.tobytes()) for chunk, vector in zip(some, vectors, strict=True)])
        if waiting:  # links alone prove nothing of the embedder
            spaces.embedder_back(self.space)
        return True

    def _due_again(self) -> list[Chunk]:
        """Refused texts whose time to be tried again has come; their rows go, so that they wait like new ones."""
        due = ChunkVector.objects.filter(
            space=self.space, vector=None, attempts__lt=MAX_ATTEMPTS, next_at__lte=timezone.now()
        ).annotate(share=F("chunk") % turns())
        rows = list(due.filter(share=self.number).select_related("chunk")[:BATCH_SIZE])
        return [row.chunk for row in rows]

    def _known(self, waiting: Sequence[Chunk]) -> dict[str, bytes]:
        """Vectors of equal texts: a page that moved is not embedded again."""
        hashes = {chunk.content_hash for chunk in waiting}
        rows = ChunkVector.objects.filter(space=self.space, content_hash__in=hashes, vector__isnull=False)
        return {
            content_hash: bytes(vector or b"") for content_hash, vector in rows.values_list("content_hash", "vector")
        }

    def _embedded(self, chunks: Sequence[Chunk]) -> Iterator[tuple[Sequence[Chunk], Vectors]]:
        """Together; one by one when a text is refused, so that it alone is left out. Raises EmbeddingError."""
        if not chunks:
            return
        try:
            yield chunks, self.embedder.embed([embedded_text(chunk.heading_path, chunk.content) for chunk in chunks])
            return
        except EmbeddingError as error:
            if not error.of_text:
                raise
            if len(chunks) == 1:
                self._refuse(chunks[0], error)
                return
        for chunk in chunks:
            yield from self._embedded([chunk])

    def _store(self, vectors: Sequence[tuple[Chunk, bytes | None]]) -> None:
        """Only of chunks that are still there: a refresh may have taken some out meanwhile. None: a list of links."""
        if not vectors:
            return
        rows = [
            ChunkVector(
                space=self.space,
                chunk=chunk,
                content_hash=chunk.content_hash,
                vector=vector,
                attempts=MAX_ATTEMPTS if vector is None else 1,
                error=LINK_LIST if vector is None else "",
            )
            for chunk, vector in vectors
        ]
        try:
            self._write(rows)
        except IntegrityError:  # one went between the look and the commit; those that stay wait for the next turn
            for row in rows:
                try:
                    self._write([row])
                except IntegrityError:
                    logger.info("chunk %s went while it was embedded", row.chunk_id)

    def _write(self, rows: Sequence[ChunkVector]) -> None:
        with transaction.atomic():
            pks = [row.chunk_id for row in rows]
            there = set(Chunk.objects.filter(pk__in=pks).values_list("pk", flat=True))
            ChunkVector.objects.filter(space=self.space, chunk__in=pks, vector=None).delete()
            kept = [row for row in rows if row.chunk_id in there]
            ChunkVector.objects.bulk_create(kept, ignore_conflicts=True)
            vector_index().add(self.space, [row for row in kept if row.vector is not None])

    def _leave_out(self, chunks: Sequence[Chunk]) -> None:
        """For good: such a row is never due again."""
        self._store([(chunk, None) for chunk in chunks])

    def _refuse(self, chunk: Chunk, error: EmbeddingError) -> None:
        row, _ = ChunkVector.objects.get_or_create(
            space=self.space, chunk=chunk, defaults={"content_hash": chunk.content_hash, "attempts": 0}
        )
        row.attempts += 1
        row.error = error.message[:ERROR_CHARS]
        row.next_at = timezone.now() + TRY_AGAIN
        row.save(update_fields=["attempts", "error", "next_at"])
        logger.warning("chunk %s has no vector: %s", chunk.pk, row.error)


def _lease() -> datetime:
    return timezone.now() + timedelta(seconds=LEASE_SECONDS)


def refused(item_id: int) -> int:
    """Chunks of a source that have no vector because the embedder refused their text."""
    return _without_vector(item_id).exclude(error=LINK_LIST).count()


def link_lists(item_id: int) -> int:
    """Chunks of a source that want no vector."""
    return _without_vector(item_id).filter(error=LINK_LIST).count()


def _without_vector(item_id: int) -> QuerySet[ChunkVector]:
    space = current()
    rows = ChunkVector.objects.filter(chunk__item=item_id, vector=None)
    return rows.filter(space=space) if space is not None else rows.none()
