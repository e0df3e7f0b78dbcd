"""Which vectors serve, and which are being made.

With another embedder in the settings a second space is filled while the first one still serves; when
nothing is missing in it any more the two swap, and the old vectors go.
"""

from __future__ import annotations

import logging

from django.db import transaction

from knowledge.embedding.embedder import Embedder, EmbeddingError
from knowledge.embedding.kinds import KINDS
from knowledge.embedding.models import EmbeddingSpace

logger = logging.getLogger(__name__)

ROWS_PER_STATEMENT = 2_000

_looked_at: set[int] = set()


def serving() -> EmbeddingSpace | None:
    """The space that searches use; None before the first vector was asked for."""
    return EmbeddingSpace.objects.filter(state=EmbeddingSpace.State.SERVING).first()


def target(embedder: Embedder) -> EmbeddingSpace:
    """The embedder's own space, made when it is new. Raises EmbeddingError when its dimension cannot be found out."""
    space = EmbeddingSpace.objects.filter(name=embedder.space).first()
    if space is not None:
        return space
    dimension = embedder.dimension()
    with transaction.atomic():
        first = not EmbeddingSpace.objects.select_for_update().exists()
        state = EmbeddingSpace.State.SERVING if first else EmbeddingSpace.State.FILLING
        space, made = EmbeddingSpace.objects.get_or_create(
            name=embedder.space, defaults={"dimension": dimension, "state": state}
        )
    if made:
        prepare(space)
    return space


def prepared(embedder: Embedder) -> EmbeddingSpace:
    """The same, with the tables that a later version of Archon added to it."""
    space = target(embedder)
    if space.pk not in _looked_at:
        _looked_at.add(space.pk)
        prepare(space)
    return space


def prepare(space: EmbeddingSpace) -> None:
    """Outside of any transaction."""
    for kind in KINDS:
        kind.index().prepare(space)


def swap(space: EmbeddingSpace) -> bool:
    """Let a filled space serve. False when it serves already, or another process was faster."""
    with transaction.atomic():
        held = {one.pk: one for one in EmbeddingSpace.objects.select_for_update().all()}
        if space.pk not in held or held[space.pk].state == EmbeddingSpace.State.SERVING:
            return False
        EmbeddingSpace.objects.exclude(pk=space.pk).update(state=EmbeddingSpace.State.FILLING)
        EmbeddingSpace.objects.filter(pk=space.pk).update(state=EmbeddingSpace.State.SERVING)
    logger.info("vectors of %s serve from now on", space.name)
    return True


def drop_others(space: EmbeddingSpace) -> None:
    """Take out the vectors of spaces that no longer serve, some at a time, then the spaces."""
    for other in EmbeddingSpace.objects.exclude(pk=space.pk).filter(state=EmbeddingSpace.State.FILLING):
        for kind in KINDS:
            rows = kind.vectors.objects.filter(space=other).values_list("pk", flat=True)
            while pks := list(rows[:ROWS_PER_STATEMENT]):
                kind.vectors.objects.filter(pk__in=pks).delete()
            kind.index().drop(other)
        other.delete()


def embedder_away(space: EmbeddingSpace, error: EmbeddingError) -> float:
    """Note that the embedder gives nothing, and why; seconds until it is asked again."""
    return space.went(f"{error.message} {error.hint}".strip(), error.retry_after)
