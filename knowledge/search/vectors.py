"""The vector index: made of the rows in knowledge.embedding, in the form that each database searches fastest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from knowledge.search.keyword import Ranked

if TYPE_CHECKING:
    from knowledge.embedding.models import ChunkVector, EmbeddingSpace

Vector = NDArray[np.float32]


class VectorsUnavailable(Exception):
    """The index cannot answer; the message says why and what helps. Keyword search still can."""


class VectorIndex(Protocol):
    """Writes belong to the transaction that writes the rows."""

    def prepare(self, space: EmbeddingSpace) -> None:
        """Once for every new space, outside of any transaction."""

    def drop(self, space: EmbeddingSpace) -> None: ...

    def add(self, space: EmbeddingSpace, rows: Sequence[ChunkVector]) -> None: ...

    def remove(self, chunk_ids: Sequence[int]) -> None:
        """From every space."""

    def nearest(
        self, space: EmbeddingSpace, vector: Vector, *, items: Collection[int] | None, limit: int
    ) -> list[Ranked]:
        """The chunks with the highest cosine, best first; of these items only, or of all for None.

        Raises VectorsUnavailable.
        """


@cache
def index_for(vendor: str) -> VectorIndex:
    if vendor == "sqlite":
        from knowledge.search.matrix import MatrixIndex

        return MatrixIndex()
    if vendor == "postgresql":
        from knowledge.search.pgvector import PgvectorIndex

        return PgvectorIndex()
    raise NotImplementedError(f"There is no vector index for the database {vendor!r}: expected sqlite or postgresql.")


def vector_index() -> VectorIndex:
    return index_for(connection.vendor)
