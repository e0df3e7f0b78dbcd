"""Taking vectors out with their chunks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db.models import F

from knowledge.embedding.models import ChunkVector, EmbeddingSpace
from knowledge.search.vectors import vector_index


def remove_vectors(chunk_ids: Sequence[int]) -> None:
    """In the caller's transaction, before the chunks go: indexes in memory see from the count that they are behind."""
    rows = ChunkVector.objects.filter(chunk__in=chunk_ids)
    spaces = Counter(rows.values_list("space", flat=True))
    if not spaces:
        return
    rows.delete()
    vector_index().remove(chunk_ids)
    for space, count in spaces.items():
        EmbeddingSpace.objects.filter(pk=space).update(removed=F("removed") + count)
