"""The vector indexes, of chunks and of code examples: made of the rows in knowledge.embedding, in the form that each
database searches fastest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from django.db import connection

from knowledge.search.indexed import CHUNKS, EXAMPLES, Indexed
from knowledge.search.keyword import Ranked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from knowledge.embedding.models import EmbeddingSpace

Vector: TypeAlias = "NDArray[np.float32]"


class VectorsUnavailable(Exception):
    """The index cannot answer; the message says why and what helps. Keyword search still can."""


class VectorEntry(NamedTuple):
    """`row_id`: of the chunk, or of the code example; `item_id` its source; `vector` as it is stored."""

    row_id: int
    item_id: int
    vector: bytes


class VectorIndex(Protocol):
    """Writes belong to the transaction that writes the rows."""

    def prepare(self, space: EmbeddingSpace) -> None:
        """Once for every new space, outside of any transaction."""

    def drop(self, space: EmbeddingSpace) -> None: ...

    def add(self, space: EmbeddingSpace, entries: Sequence[VectorEntry]) -> None:
        """An entry under an id that is already there replaces it."""

    def remove(self, row_ids: Sequence[int]) -> None:
        """From every space."""

    def nearest(
        self, space: EmbeddingSpace, vector: Vector, *, items: Collection[int] | None, limit: int
    ) -> list[Ranked]:
        """The rows with the highest cosine, best first; of these items only, or of all for None.

        Raises VectorsUnavailable.
        """


@cache
def index_for(vendor: str, indexed: Indexed = CHUNKS) -> VectorIndex:
    if vendor == "sqlite":
        from knowledge.search.matrix import MatrixIndex

        return MatrixIndex(indexed)
    if vendor == "postgresql":
        from knowledge.search.pgvector import PgvectorIndex

        return PgvectorIndex(indexed)
    raise NotImplementedError(f"There is no vector index for the database {vendor!r}: expected sqlite or postgresql.")


def vector_index() -> VectorIndex:
    return index_for(connection.vendor, CHUNKS)


def example_vector_index() -> VectorIndex:
    return index_for(connection.vendor, EXAMPLES)
