"""Rows that come wake the queue, rows that go take their vectors with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db import transaction
from django.db.models import F

from knowledge.embedding.kinds import Kind
from knowledge.embedding.models import EmbeddingSpace


def wake_on_commit() -> None:
    """Rows or texts that wait for a vector are being written."""
    transaction.on_commit(_wake, robust=True)


def _wake() -> None:
    from knowledge.tasks import wake_embedding  # tasks bring Celery's application

    wake_embedding()


def remove_vectors(kind: Kind, row_ids: Sequence[int]) -> None:
    """In the caller's transaction, before the rows go: indexes in memory see from the count that they are behind."""
    rows = kind.vectors.objects.filter(**{f"{kind.key}__in": row_ids})
    spaces = Counter(rows.values_list("space", flat=True))
    if not spaces:
        return
    rows.delete()
    kind.index().remove(row_ids)
    for space, count in spaces.items():
        EmbeddingSpace.objects.filter(pk=space).update(**{kind.removed: F(kind.removed) + count})
