"""Vectors on SQLite: one matrix per process and kind of row, filled from the rows and kept up with them.

Up to EXACT_ROWS all vectors are compared exactly with one product (0.4 ms for 10,000 in one thread).
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

from knowledge.embedding.models import EmbeddingSpace
from knowledge.search.indexed import Indexed
from knowledge.search.keyword import Ranked
from knowledge.search.vectors import Vector, VectorEntry

EXACT_ROWS = 100_000
# Of these the exact vectors are looked at: enough for a recall of .995 on documentation.
RESCORED = 1_000
ROWS_PER_READ = 5_000
# With so large a share of rows that are gone the matrix is made anew.
STALE_SHARE = 0.1
NEW_ROWS = """
    SELECT v.id, v.{key}, r.item_id, v.vector FROM {vectors} AS v
    JOIN {rows} AS r ON r.id = v.{key}
    WHERE v.space_id = %s AND v.id > %s AND v.vector IS NOT NULL ORDER BY v.id LIMIT %s
"""
LAST = "SELECT max(id) FROM {vectors}"
EXACT = """
    SELECT {key}, vector FROM {vectors}
    WHERE space_id = %s AND {key} IN (SELECT value FROM json_each(%s)) AND vector IS NOT NULL
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
    # The ids of the rows, as of these sources.
    ids: Column[np.int64] = field(default_factory=lambda: Column(0, np.int64))
    items: Column[np.int64] = field(default_factory=lambda: Column(0, np.int64))

    def __post_init__(self) -> None:
        self.exact = Column(self.dimension, np.float32)

    def __len__(self) -> int:
        return len(self.ids.rows)

    def extend(self, rows: Sequence[tuple[int, int, int, bytes]]) -> None:
        """Rows of (id of the vector, id of what it is of, source, vector), by the first. A vector that comes anew for
        the same id takes the place of the old one."""
        self.last_id = rows[-1][0]
        vectors = np.frombuffer(b"".join(bytes(row[3]) for row in rows), "<f4").reshape(len(rows), self.dimension)
        ids = np.array([row[1] for row in rows], np.int64)
        new = self._replaced(ids, vectors)
        if not new.any():
            return
        vectors = vectors[new]
        self.ids.extend(ids[new])
        self.items.extend(np.array([row[2] for row in rows], np.int64)[new])
        if self.exact is not None:
            self.exact.extend(vectors)
            if len(self) > EXACT_ROWS:
                self.signs = Column((self.dimension + 63) // 64, np.uint64)
                self.signs.extend(bits(self.exact.rows))
                self.exact = None
        elif self.signs is not None:
            self.signs.extend(bits(vectors))

    def _replaced(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of these are new, after the others were written over the old ones."""
        known = self.ids.rows
        if not len(known) or ids.min() > known.max():
            return np.ones(len(ids), bool)
        place_of = {int(known[place]): place for place in np.flatnonzero(np.isin(known, ids))}
        new = np.array([int(one) not in place_of for one in ids], bool)
        for index in np.flatnonzero(~new):
            place = place_of[int(ids[index])]
            if self.exact is not None:
                self.exact.rows[place] = vectors[index]
            elif self.signs is not None:
                self.signs.rows[place] = bits(vectors[index : index + 1])[0]
        return new

    def chosen(self, items: Collection[int] | None) -> NDArray[np.intp] | None:
        """The places of these sources' rows; None for all."""
        if items is None:
            return None
        return np.flatnonzero(np.isin(self.items.rows, np.fromiter(items, np.int64, len(items))))


class MatrixIndex:
    def __init__(self, indexed: Indexed) -> None:
        names = indexed._asdict()
        self._new_rows, self._last, self._exact = (sql.format(**names) for sql in (NEW_ROWS, LAST, EXACT))
        self._removed = indexed.removed
        self._matrix: Matrix | None = None
        self._lock = threading.Lock()

    def prepare(self, space: EmbeddingSpace) -> None:
        pass

    def drop(self, space: EmbeddingSpace) -> None:
        pass

    def add(self, space: EmbeddingSpace, entries: Sequence[VectorEntry]) -> None:
        pass  # every process reads the rows that it has not seen, when it searches

    def remove(self, row_ids: Sequence[int]) -> None:
        pass  # searches look which rows are there

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
            last = cursor.execute(self._last).fetchone()[0] or 0
            removed = int(getattr(space, self._removed))
            if matrix is None or _is_stale(matrix, space, removed, last):
                matrix = Matrix(space.pk, space.dimension, removed)
            while matrix.last_id < last:
                rows = cursor.execute(self._new_rows, [space.pk, matrix.last_id, ROWS_PER_READ]).fetchall()
                if not rows:
                    break
                matrix.extend(rows)
        self._matrix = matrix
        return matrix

    def _exactly(self, matrix: Matrix, vector: Vector, places: NDArray[np.intp] | None, limit: int) -> list[Ranked]:
        assert matrix.exact is not None
        ids = matrix.ids.rows if places is None else matrix.ids.rows[places]
        return _best(ids, _products(matrix.exact.rows, vector, places), limit)

    def _near_by_signs(self, matrix: Matrix, vector: Vector, places: NDArray[np.intp] | None) -> NDArray[np.int64]:
        assert matrix.signs is not None
        signs = matrix.signs.rows if places is None else matrix.signs.rows[places]
        ids = matrix.ids.rows if places is None else matrix.ids.rows[places]
        distances = np.bitwise_count(signs ^ bits(vector[None, :])).sum(axis=1, dtype=np.uint16)
        if len(distances) <= RESCORED:
            return ids
        return ids[np.argpartition(distances, RESCORED)[:RESCORED]]

    def _rescored(
        self, space: EmbeddingSpace, vector: Vector, candidates: NDArray[np.int64], limit: int
    ) -> list[Ranked]:
        with connection.cursor() as cursor:
            rows = cursor.execute(self._exact, [space.pk, json.dumps(candidates.tolist())]).fetchall()
        if not rows:
            return []
        vectors = np.frombuffer(b"".join(bytes(row[1]) for row in rows), "<f4").reshape(len(rows), space.dimension)
        return _best(np.array([row[0] for row in rows], np.int64), vectors @ vector, limit)


def _is_stale(matrix: Matrix, space: EmbeddingSpace, removed: int, last: int) -> bool:
    """Another space; many rows that are gone; or fewer ids than were seen, as after a restore."""
    gone = removed - matrix.removed
    return matrix.space_id != space.pk or gone < 0 or last < matrix.last_id or gone > STALE_SHARE * len(matrix)


def _products(rows: NDArray[np.float32], vector: Vector, places: NDArray[np.intp] | None) -> NDArray[np.float32]:
    """A third of the rows is copied in the time that all of them are multiplied."""
    if places is None:
        return rows @ vector
    return rows[places] @ vector if len(places) < len(rows) / 3 else (rows @ vector)[places]


def _best(ids: NDArray[np.int64], scores: NDArray[np.float32], limit: int) -> list[Ranked]:
    top = np.argpartition(-scores, limit)[:limit] if len(scores) > limit else np.arange(len(scores))
    ordered = top[np.lexsort((ids[top], -scores[top]))]
    return [Ranked(int(ids[place]), float(scores[place])) for place in ordered]
