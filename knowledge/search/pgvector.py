"""Vectors on PostgreSQL: one table per space under an HNSW index of pgvector, beside the rows.

A table per space, since an index needs one dimension and a changed model brings another. Without the
extension the rows are kept all the same, and the table is filled when it has come.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum

from knowledge.embedding.models import EmbeddingSpace
from knowledge.models import KnowledgeItem
from knowledge.search.indexed import Indexed
from knowledge.search.keyword import Ranked
from knowledge.search.vectors import Vector, VectorEntry, VectorsUnavailable

# Few rows are compared one by one: an HNSW index filters after it has searched, and may find too few.
EXACT_ROWS = 20_000
# More than asked for, at least: pgvector's default of 40 would cap every answer.
LEAST_CANDIDATES = 100
ROWS_PER_STATEMENT = 1_000
MISSING = (
    "PostgreSQL has no pgvector. Install it (Debian: postgresql-16-pgvector) and let a superuser run "
    "CREATE EXTENSION vector in this database; the stored vectors are taken up then."
)
BACKFILL = """
    SELECT v.id, v.{key}, r.item_id, v.vector
    FROM {vectors} v JOIN {rows} r ON r.id = v.{key}
    WHERE v.space_id = %s AND v.id > %s AND v.vector IS NOT NULL ORDER BY v.id LIMIT %s
"""


class PgvectorIndex:
    def __init__(self, indexed: Indexed) -> None:
        self._indexed = indexed
        self._backfill = BACKFILL.format(**indexed._asdict())
        self._ready: set[str] = set()

    def table_of(self, space: EmbeddingSpace) -> str:
        return f"{self._indexed.spaces}_{int(space.pk)}"

    def prepare(self, space: EmbeddingSpace) -> None:
        """Quiet without the extension: searches say so."""
        if not self._exists(space):
            try:
                self._make(space)
            except DatabaseError:
                return
        self._ready.add(self.table_of(space))

    def drop(self, space: EmbeddingSpace) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {self.table_of(space)}")
        self._ready.discard(self.table_of(space))

    def add(self, space: EmbeddingSpace, entries: Sequence[VectorEntry]) -> None:
        if self._is_ready(space):
            with connection.cursor() as cursor:
                self._insert(cursor, space, entries)

    def remove(self, row_ids: Sequence[int]) -> None:
        with connection.cursor() as cursor:
            for space in EmbeddingSpace.objects.all():
                if self._is_ready(space):
                    of_rows = f"DELETE FROM {self.table_of(space)} WHERE {self._indexed.key} = ANY(%s)"  # noqa: S608
                    cursor.execute(of_rows, [list(row_ids)])

    def nearest(
        self, space: EmbeddingSpace, vector: Vector, *, items: Collection[int] | None, limit: int
    ) -> list[Ranked]:
        if not self._is_ready(space):
            self.prepare(space)
            if not self._is_ready(space):
                raise VectorsUnavailable(MISSING)
        exactly = items is not None and self._rows_of(items) <= EXACT_ROWS
        of_items = "" if items is None else "WHERE item_id = ANY(%(items)s)"
        sql = f"""
            SELECT {self._indexed.key}, 1 - (embedding <=> %(vector)s::vector) AS score FROM {self.table_of(space)}
            {of_items} ORDER BY embedding <=> %(vector)s::vector LIMIT %(limit)s
        """  # noqa: S608  # the name is made of an id
        given: dict[str, Any] = {"vector": _literal(vector), "items": list(items or ()), "limit": limit}
        with transaction.atomic(), connection.cursor() as cursor:
            if exactly:
                cursor.execute("SET LOCAL enable_indexscan = off")
            else:
                cursor.execute(f"SET LOCAL hnsw.ef_search = {min(1_000, max(LEAST_CANDIDATES, 2 * limit))}")
            cursor.execute(sql, given)
            return [Ranked(row_id, float(score)) for row_id, score in cursor.fetchall()]

    def _is_ready(self, space: EmbeddingSpace) -> bool:
        if self.table_of(space) not in self._ready and self._exists(space):
            self._ready.add(self.table_of(space))
        return self.table_of(space) in self._ready

    def _exists(self, space: EmbeddingSpace) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [self.table_of(space)])
            return bool(cursor.fetchone()[0])

    def _make(self, space: EmbeddingSpace) -> None:
        """Table, rows, then the index: built at once it is several times faster. All or nothing."""
        name = self.table_of(space)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
            cursor.execute(
                # No foreign key, as in the keyword index: a row without its chunk is never shown.
                f"CREATE TABLE {name} ({self._indexed.key} bigint PRIMARY KEY, item_id bigint NOT NULL, "
                f"embedding vector({int(space.dimension)}) NOT NULL)"
            )
            last = 0
            while rows := self._rows_after(cursor, space, last):
                self._insert(cursor, space, [VectorEntry(*row[1:]) for row in rows])
                last = rows[-1][0]
            cursor.execute(f"CREATE INDEX {name}_item ON {name} (item_id)")
            cursor.execute(f"CREATE INDEX {name}_hnsw ON {name} USING hnsw (embedding vector_cosine_ops)")

    def _rows_after(self, cursor: object, space: EmbeddingSpace, last: int) -> list[tuple[int, int, int, bytes]]:
        cursor.execute(self._backfill, [space.pk, last, ROWS_PER_STATEMENT])  # type: ignore[attr-defined]
        return cursor.fetchall()  # type: ignore[attr-defined,no-any-return]

    def _insert(self, cursor: object, space: EmbeddingSpace, entries: Sequence[VectorEntry]) -> None:
        key = self._indexed.key
        cursor.executemany(  # type: ignore[attr-defined]
            f"INSERT INTO {self.table_of(space)} VALUES (%s, %s, %s) "  # noqa: S608
            f"ON CONFLICT ({key}) DO UPDATE SET embedding = excluded.embedding",
            [(row, item, _literal(np.frombuffer(bytes(vector), "<f4"))) for row, item, vector in entries],
        )

    def _rows_of(self, items: Collection[int]) -> int:
        of_items = KnowledgeItem.objects.filter(pk__in=items)
        return int(of_items.aggregate(n=Sum(self._indexed.counted_in))["n"] or 0)


def _literal(vector: Vector) -> str:
    return "[" + ",".join(f"{value:.7g}" for value in vector.tolist()) + "]"
