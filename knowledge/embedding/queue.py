"""Chunks and code examples that have no vector yet, and the turns in which workers make them.

A row waits as long as the embedder's space has no vector of its text, so storing a page costs nothing for
it, and no lost message loses a vector. Rows are shared out by their ids: each turn is one share, held by
one worker at a time for a short while, so that a crawl that starts never waits long for a worker.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from knowledge.embedding import spaces
from knowledge.embedding.embedder import Embedder, EmbeddingError, Vectors, embedder
from knowledge.embedding.kinds import CHUNKS, KINDS, LINK_LIST, Kind
from knowledge.embedding.models import ERROR_CHARS, ChunkVector, EmbeddingSpace, EmbeddingTurn
from knowledge.search.vectors import VectorEntry

logger = logging.getLogger(__name__)

BATCH_SIZE = 32
LEASE_SECONDS = 30.0
MAX_ATTEMPTS = 3
TRY_AGAIN = timedelta(minutes=5)

# Called with the ids of sources that have no chunk left to embed. Whoever stands above registers here:
# a crawl ends when its last vector is there, and this app knows no crawls.
embedded_listeners: list[Callable[[Sequence[int]], None]] = []


def pending(
    item_ids: Sequence[int] | None = None, *, space: EmbeddingSpace | None = None, kind: Kind = CHUNKS
) -> QuerySet[Any]:
    """Rows of visible sources without a vector in the embedder's space. Refused texts do not wait."""
    space = space or current()
    if space is None:
        return kind.rows.objects.none() if embedder() is None else _of(kind.visible(), item_ids)
    return _of(kind.waiting(space), item_ids)


def anything_waits(space: EmbeddingSpace) -> bool:
    return any(pending(space=space, kind=kind).exists() or _due(space, kind).exists() for kind in KINDS)


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


def _of(rows: QuerySet[Any], item_ids: Sequence[int] | None) -> QuerySet[Any]:
    return rows if item_ids is None else rows.filter(item__in=item_ids)


def _due(space: EmbeddingSpace, kind: Kind) -> QuerySet[Any]:
    """Refused texts whose time to be tried again has come."""
    refused = kind.vectors.objects.filter(space=space, vector=None, attempts__lt=MAX_ATTEMPTS)
    return refused.filter(next_at__lte=timezone.now())


def free_turns() -> list[int]:
    held = EmbeddingTurn.objects.filter(lease_until__gt=timezone.now()).values_list("number", flat=True)
    return sorted(set(range(turns())) - set(held))


def turns() -> int:
    return int(settings.WORKERS)


class Outcome(NamedTuple):
    """A row's vector, or why it wants none."""

    row: Any
    vector: bytes | None
    unwanted: str = ""


class Turn:
    """One share, held by this worker for about EMBED_SLICE_SECONDS."""

    def __init__(self, number: int, current: Embedder) -> None:
        self.number = number
        self.embedder = current
        self.space = spaces.prepared(current)
        self.owner = uuid.uuid4().hex
        # The last row that was looked at, and the kinds of which nothing more waits.
        self.after = dict.fromkeys(KINDS, 0)
        self.done: list[Kind] = []
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
        if self.space.resting:
            return False
        EmbeddingTurn.objects.get_or_create(number=self.number)
        free = EmbeddingTurn.objects.filter(number=self.number, lease_until__lte=timezone.now())
        return bool(free.update(owner=self.owner, lease_until=_lease()))

    def _renew(self) -> bool:
        return bool(EmbeddingTurn.objects.filter(number=self.number, owner=self.owner).update(lease_until=_lease()))

    def _batch(self) -> bool:
        """False when nothing waits."""
        for kind in KINDS:
            if kind not in self.done:
                if waiting := self._waiting(kind):
                    self._embed(kind, waiting)
                    return True
                self.done.append(kind)  # in this turn: what is stored meanwhile waits for the next, in a second
        return False

    def _waiting(self, kind: Kind) -> list[Any]:
        share = pending(space=self.space, kind=kind).annotate(share=F("pk") % turns()).filter(share=self.number)
        waiting = list(share.filter(pk__gt=self.after[kind]).order_by("pk")[:BATCH_SIZE])
        if waiting:
            self.after[kind] = waiting[-1].pk
            return waiting
        due = _due(self.space, kind).annotate(share=F(kind.key) % turns())
        rows = list(due.filter(share=self.number).select_related(kind.key)[:BATCH_SIZE])
        return [getattr(row, kind.key) for row in rows]

    def _embed(self, kind: Kind, waiting: Sequence[Any]) -> None:
        if kind is CHUNKS:
            self.sources |= {row.item_id for row in waiting}
        reasons = [(row, kind.unwanted(row)) for row in waiting]
        self._store(kind, [Outcome(row, None, reason) for row, reason in reasons if reason])
        waiting = [row for row, reason in reasons if not reason]
        known = self._known(kind, waiting)
        new = [row for row in waiting if kind.hash_of(row) not in known]
        self._store(kind, [Outcome(row, known[kind.hash_of(row)]) for row in waiting if kind.hash_of(row) in known])
        for some, vectors in self._embedded(kind, new):
            self._store(kind, [Outcome(row, vector.tobytes()) for row, vector in zip(some, vectors, strict=True)])
        if waiting:  # links alone prove nothing of the embedder
            self.space.came_back()

    def _known(self, kind: Kind, waiting: Sequence[Any]) -> dict[str, bytes]:
        """Vectors of equal texts: a page that moved is not embedded again."""
        hashes = {kind.hash_of(row) for row in waiting}
        rows = kind.vectors.objects.filter(space=self.space, content_hash__in=hashes, vector__isnull=False)
        return {
            content_hash: bytes(vector or b"") for content_hash, vector in rows.values_list("content_hash", "vector")
        }

    def _embedded(self, kind: Kind, rows: Sequence[Any]) -> Iterator[tuple[Sequence[Any], Vectors]]:
        """Together; one by one when a text is refused, so that it alone is left out. Raises EmbeddingError."""
        if not rows:
            return
        try:
            yield rows, self.embedder.embed([kind.text(row) for row in rows])
            return
        except EmbeddingError as error:
            if not error.of_text:
                raise
            if len(rows) == 1:
                self._refuse(kind, rows[0], error)
                return
        for row in rows:
            yield from self._embedded(kind, [row])

    def _store(self, kind: Kind, outcomes: Sequence[Outcome]) -> None:
        """Only of rows that are still there: a refresh may have taken some out meanwhile."""
        made = [
            (
                one.row,
                kind.vectors(
                    space=self.space,
                    content_hash=kind.hash_of(one.row),
                    vector=one.vector,
                    attempts=MAX_ATTEMPTS if one.vector is None else 1,
                    error=one.unwanted,
                    **{kind.key: one.row},
                ),
            )
            for one in outcomes
        ]
        try:
            self._write(kind, made)
        except IntegrityError:  # one went between the look and the commit; those that stay wait for the next turn
            for one in made:
                try:
                    self._write(kind, [one])
                except IntegrityError:
                    logger.info("%s %s went while it was embedded", kind.key, one[0].pk)

    def _write(self, kind: Kind, made: Sequence[tuple[Any, Any]]) -> None:
        """A row that holds no vector, or that of a text it was of before, makes place."""
        if not made:
            return
        with transaction.atomic():
            pks = [row.pk for row, _ in made]
            there = set(kind.rows.objects.filter(pk__in=pks).values_list("pk", flat=True))
            of_rows = kind.vectors.objects.filter(**{"space": self.space, f"{kind.key}__in": pks})
            of_rows.filter(Q(vector=None) | ~Q(content_hash=F(f"{kind.key}__{kind.hashed}"))).delete()
            kept = [(row, one) for row, one in made if row.pk in there]
            kind.vectors.objects.bulk_create([one for _, one in kept], ignore_conflicts=True)
            entries = [VectorEntry(row.pk, row.item_id, one.vector) for row, one in kept if one.vector is not None]
            kind.index().add(self.space, entries)

    def _refuse(self, kind: Kind, row: Any, error: EmbeddingError) -> None:
        text_hash = kind.hash_of(row)
        refused, _ = kind.vectors.objects.get_or_create(
            **{"space": self.space, kind.key: row}, defaults={"content_hash": text_hash, "attempts": 0}
        )
        if refused.content_hash != text_hash:  # of a text that it had before
            refused.content_hash, refused.vector, refused.attempts = text_hash, None, 0
        refused.attempts += 1
        refused.error = error.message[:ERROR_CHARS]
        refused.next_at = timezone.now() + TRY_AGAIN
        refused.save(update_fields=["content_hash", "vector", "attempts", "error", "next_at"])
        logger.warning("%s %s has no vector: %s", kind.key, row.pk, refused.error)


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
