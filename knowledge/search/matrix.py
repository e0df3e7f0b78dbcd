"""Vectors on SQLite: one matrix per process, filled from the rows and kept up with them.

Up to EXACT_ROWS all vectors are compared exactly with one product (0.3 ms for 10,000, 5 ms for 100,000).
Beyond, memory would grow by 1.5 KB a chunk: then one bit per dimension is kept (48 bytes), the
nearest by Hamming distance are found, and their exact vectors are read from the rows.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from knowledge.embedding.models import ChunkVector, EmbeddingSpace
from knowledge.search.keyword import Ranked
from knowledge.search.vectors import Vector

EXACT_ROWS = 100_000
# Of these the exact vectors are looked at: enough for a recall of .995 on documentation.
RESCORED = 1_000
ROWS_PER_READ = 5_000
# With so large a share of rows that are gone the matrix is made anew.
STALE_SHARE = 0.1
NEW_ROWS = """
    SELECT v.id, v.chunk_id, c.item_id, v.vector FROM knowledge_chunkvector AS v
    JOIN knowledge_chunk AS c ON c.id = v.chunk_id
    WHERE v.space_id = %s AND v.id > %s AND v.vector IS NOT NULL ORDER BY v.id LIMIT %s
"""
LAST = "SELECT max(id) FROM knowledge_chunkvector"
EXACT = """
    SELECT chunk_id, vector FROM knowledge_chunkvector
    WHERE space_id = %s AND chunk_id IN (SELECT value FROM json_each(%s)) AND vector IS NOT NULL
"""


Number = TypeVar("Number", np.float32, np.int64, np.uint64)


class Column(Generic[Number]):
    """A numpy array that grows at its end."""

    def __init__(self, width: int, dtype: type[Number]) -> None:
        self._data: NDArray[Number] = np.empty((0, width) if width else (0,), dtype)
        self._used = 0

    @property
    def rows(self) -> NDArray[Number]:
        return self._data[: self._used]

    def extend(self, rows: NDArray[Number]) -> None:
        needed = self._used + len(rows)
        if needed > len(self._data):
            shape = (max(needed, 2 * len(self._data), 1_024), *self._data.shape[1:])
            grown = np.empty(shape, self._data.dtype)
            grown[: self._used] = self._data[: self._used]
            self._data = grown
        self._data[self._used : needed] = rows
        self._used = needed


def bits(vectors: NDArray[np.float32]) -> NDArray[np.uint64]:
    """The sign of every dimension, 64 to a word; padded with zeros."""
    packed = np.packbits(vectors > 0, axis=1)
    padding = -packed.shape[1] % 8
    return np.ascontiguousarray(np.pad(packed, ((0, 0), (0, padding)))).view(np.uint64)


@dataclass
class Matrix:
    """All vectors of one space as this process knows them."""

    space_id: int
    dimension: int
    removed: int
    last_id: int = 0
    exact: Column[np.float32] | None = None
    signs: Column[np.uint64] | None = None
    chunks: Column[np.int64] = field(default_factory=lambda: Column(0, np.int64))
    items: Column[np.int64] = field(default_factory=lambda: Column(0, np.int64))

    def __post_init__(self) -> None:
        self.exact = Column(self.dimension, np.float32)

    def __len__(self) -> int:
        return len(self.chunks.rows)

    def extend(self, rows: Sequence[tuple[int, int, int, bytes]]) -> None:
        vectors = np.frombuffer(b"".join(bytes(row[3]) for row in rows), "<f4").reshape(len(rows), self.dimension)
        self.chunks.extend(np.array([row[1] for row in rows], np.int64))
        self.items.extend(np.array([row[2] for row in rows], np.int64))
        if self.exact is not None:
            self.exact.extend(vectors)
            if len(self) > EXACT_ROWS:
                self.signs = Column((self.dimension + 63) // 64, np.uint64)
                self.signs.extend(bits(self.exact.rows))
                self.exact = None
        elif self.signs is not None:
            self.signs.extend(bits(vectors))
        self.last_id = rows[-1][0]

    def chosen(self, items: Collection[int] | None) -> NDArray[np.intp] | None:
        """The places of these sources' rows; None for all."""
        if items is None:
            return None
        return np.flatnonzero(np.isin(self.items.rows, np.fromiter(items, np.int64, len(items))))


class MatrixIndex:
    def __init__(self) -> None:
        self._matrix: Matrix | None = None
        self._lock = threading.Lock()

    def prepare(self, space: EmbeddingSpace) -> None:
        pass

    def drop(self, space: EmbeddingSpace) -> None:
        pass

    def add(self, space: EmbeddingSpace, rows: Sequence[ChunkVector]) -> None:
        pass  # every process reads the rows that it has not seen, when it searches

    def remove(self, chunk_ids: Sequence[int]) -> None:
        pass  # searches look which chunks are there

    def nearest(
        self, space: EmbeddingSpace, vector: Vector, *, items: Collection[int] | None, limit: int
    ) -> list[Ranked]:
        with self._lock:
            matrix = self._current(space)
            places = matrix.chosen(items)
            if matrix.exact is not None:
                return self._exactly(matrix, vector, places, limit)
            candidates = self._near_by_signs(matrix, vector, places)
        return self._rescored(space, vector, candidates, limit)

    def _current(self, space: EmbeddingSpace) -> Matrix:
        matrix = self._matrix
        with connection.cursor() as cursor:
            last = cursor.execute(LAST).fetchone()[0] or 0
            if matrix is None or _is_stale(matrix, space, last):
                matrix = Matrix(space.pk, space.dimension, space.removed)
            while matrix.last_id < last:
                rows = cursor.execute(NEW_ROWS, [space.pk, matrix.last_id, ROWS_PER_READ]).fetchall()
                if not rows:
                    break
                matrix.extend(rows)
        self._matrix = matrix
        return matrix

    def _exactly(self, matrix: Matrix, vector: Vector, places: NDArray[np.intp] | None, limit: int) -> list[Ranked]:
        assert matrix.exact is not None
        rows = matrix.exact.rows if places is None else matrix.exact.rows[places]
        chunks = matrix.chunks.rows if places is None else matrix.chunks.rows[places]
        return _best(chunks, rows @ vector, limit)

    def _near_by_signs(self, matrix: Matrix, vector: Vector, places: NDArray[np.intp] | None) -> NDArray[np.int64]:
        assert matrix.signs is not None
        signs = matrix.signs.rows if places is None else matrix.signs.rows[places]
        chunks = matrix.chunks.rows if places is None else matrix.chunks.rows[places]
        distances = np.bitwise_count(signs ^ bits(vector[None, :])).sum(axis=1, dtype=np.uint16)
        if len(distances) <= RESCORED:
            return chunks
        return chunks[np.argpartition(distances, RESCORED)[:RESCORED]]

    def _rescored(
        self, space: EmbeddingSpace, vector: Vector, candidates: NDArray[np.int64], limit: int
    ) -> list[Ranked]:
        with connection.cursor() as cursor:
            rows = cursor.execute(EXACT, [space.pk, json.dumps(candidates.tolist())]).fetchall()
        if not rows:
            return []
        vectors = np.frombuffer(b"".join(bytes(row[1]) for row in rows), "<f4").reshape(len(rows), space.dimension)
        return _best(np.array([row[0] for row in rows], np.int64), vectors @ vector, limit)


def _is_stale(matrix: Matrix, space: EmbeddingSpace, last: int) -> bool:
    """Another space; many rows that are gone; or fewer ids than were seen, as after a restore."""
    gone = space.removed - matrix.removed
    return matrix.space_id != space.pk or gone < 0 or last < matrix.last_id or gone > STALE_SHARE * len(matrix)


def _best(chunks: NDArray[np.int64], scores: NDArray[np.float32], limit: int) -> list[Ranked]:
    top = np.argpartition(-scores, limit)[:limit] if len(scores) > limit else np.arange(len(scores))
    ordered = top[np.lexsort((chunks[top], -scores[top]))]
    return [Ranked(int(chunks[place]), float(scores[place])) for place in ordered]
