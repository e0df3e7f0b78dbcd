"""Vectors that leave with their chunks, and those that come with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from knowledge.embedding import spaces
from knowledge.embedding.embedder import EmbeddingError, embedder
from knowledge.embedding.models import ChunkVector, EmbeddingSpace
from knowledge.models import Chunk
from knowledge.search.vectors import VectorEntry, vector_index

serving = spaces.serving


def vectors_of(space: EmbeddingSpace, document_ids: Sequence[int]) -> dict[int, bytes]:
    """By chunk id, of all chunks of these pages that have one."""
    rows = ChunkVector.objects.filter(space=space, chunk__document__in=document_ids, vector__isnull=False)
    return {chunk_id: bytes(vector or b"") for chunk_id, vector in rows.values_list("chunk_id", "vector")}


def space_for(name: str, dimension: int) -> EmbeddingSpace | None:
    """The embedder's own space if vectors of that name belong there; None: they cannot be compared with its vectors.

    Outside of any transaction: a new space is prepared.
    """
    current = embedder()
    if current is None or current.space != name:
        return None
    try:
        space = spaces.target(current)
    except EmbeddingError:
        return None
    return space if space.dimension == dimension else None


def adopt(space: EmbeddingSpace, document_ids: Sequence[int], vectors: Mapping[str, bytes]) -> int:
    """Give the chunks of these pages the vectors of their content hashes, in the transaction that stored them. How many
    got one; those that have one keep it."""
    chunks = Chunk.objects.filter(document__in=document_ids, content_hash__in=list(vectors))
    waiting = chunks.exclude(vectors__space=space)
    taken = list(waiting.values_list("pk", "content_hash", "item_id"))
    rows = [
        ChunkVector(space=space, chunk_id=pk, content_hash=content_hash, vector=vectors[content_hash])
        for pk, content_hash, _ in taken
    ]
    if rows:
        ChunkVector.objects.bulk_create(rows, ignore_conflicts=True)
        entries = [VectorEntry(pk, item, vectors[content_hash]) for pk, content_hash, item in taken]
        vector_index().add(space, entries)
    return len(rows)
