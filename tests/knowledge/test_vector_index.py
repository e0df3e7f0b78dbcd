"""What both vector indexes promise, with enough rows to be wrong: near the exact answer, and of these sources only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from knowledge.embedding.kinds import CHUNKS
from knowledge.embedding.models import ChunkVector, EmbeddingSpace
from knowledge.embedding.rows import remove_vectors
from knowledge.models import Chunk, Document, KnowledgeItem
from knowledge.search import matrix
from knowledge.search.matrix import Matrix
from knowledge.search.vectors import Vector, VectorEntry, index_for, vector_index
from tests.knowledge.pages import source

pytestmark = pytest.mark.django_db

WIDTH, ROWS, ASKED = 64, 2_400, 30


class Filled(NamedTuple):
    """`vectors` by row, in the order of `chunks`; every third row is of `small`, the others of `large`."""

    space: EmbeddingSpace
    chunks: list[int]
    vectors: np.ndarray[Any, np.dtype[np.float32]]
    small: KnowledgeItem
    large: KnowledgeItem

    def exactly(self, asked: Vector, rows: Sequence[int] = range(ROWS)) -> list[int]:
        chosen = np.array(rows)
        best = chosen[np.argsort(-(self.vectors[chosen] @ asked))[:10]]
        return [self.chunks[row] for row in best]

    def nearest(self, asked: Vector, items: list[int] | None = None) -> list[int]:
        return [one.chunk_id for one in vector_index().nearest(self.space, asked, items=items, limit=10)]


def unit(vectors: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), "<f4")


@pytest.fixture(params=["scattered", "clustered"])
def filled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """Clustered vectors, as those of texts are, on SQLite beyond the rows that are compared exactly.

    Scattered ones, where nothing is near to anything, are compared exactly there: signs alone would find
    half of the ten nearest among 200,000 (docs/search.md says so).
    """
    monkeypatch.setattr(matrix, "EXACT_ROWS", ROWS // 2 if request.param == "clustered" else ROWS)
    monkeypatch.setattr(matrix, "RESCORED", ROWS // 4)
    monkeypatch.setattr(matrix, "ROWS_PER_READ", 500)
    index_for.cache_clear()
    drawn = np.random.default_rng(7)
    vectors = drawn.normal(size=(ROWS, WIDTH))
    if request.param == "clustered":
        vectors = drawn.normal(size=(30, WIDTH))[drawn.integers(0, 30, ROWS)] + 0.5 * vectors
    small, large = source("small"), source("large")
    chunks = stored([small if row % 3 == 0 else large for row in range(ROWS)])
    space = EmbeddingSpace.objects.create(name=f"test/{request.param}", dimension=WIDTH, state="serving")
    ChunkVector.objects.bulk_create(
        ChunkVector(space=space, chunk_id=chunk, content_hash=f"{chunk}", vector=vector.tobytes())
        for chunk, vector in zip(chunks, unit(vectors), strict=True)
    )
    vector_index().prepare(space)
    return Filled(space, chunks, unit(vectors), small, large)


def stored(items: list[KnowledgeItem]) -> list[int]:
    now = timezone.now()
    times = {"fetched_at": now, "first_seen_at": now, "changed_at": now}
    pages: dict[int, Document] = {}
    for item in items:
        if item.pk not in pages:
            pages[item.pk] = Document.objects.create(
                item=item, url=item.url, url_hash=f"{item.pk}", content_hash="", **times
            )
    made = Chunk.objects.bulk_create(
        Chunk(document=pages[item.pk], item=item, ordinal=row, content_hash=f"{row}", char_count=1, content="x")
        for row, item in enumerate(items)
    )
    for item in {item.pk: item for item in items}.values():
        KnowledgeItem.objects.filter(pk=item.pk).update(chunk_count=Chunk.objects.filter(item=item).count())
    return [chunk.pk for chunk in made]


def questions(filled: Filled) -> list[Vector]:
    drawn = np.random.default_rng(11)
    near = filled.vectors[:: ROWS // ASKED] + 0.1 * drawn.normal(size=(ASKED, WIDTH))
    return list(unit(near))


def recall(found: list[list[int]], exact: list[list[int]]) -> float:
    return sum(len(set(a) & set(b)) for a, b in zip(found, exact, strict=True)) / (10 * len(exact))


def test_nearly_all_of_the_nearest_are_found_best_first(filled: Filled) -> None:
    asked = questions(filled)
    assert recall([filled.nearest(one) for one in asked], [filled.exactly(one) for one in asked]) >= 0.98
    for one in asked[:5]:
        ranked = vector_index().nearest(filled.space, one, items=None, limit=10)
        cosines = {chunk: float(vector @ one) for chunk, vector in zip(filled.chunks, filled.vectors, strict=True)}
        assert [found.score for found in ranked] == sorted((found.score for found in ranked), reverse=True)
        assert [found.score for found in ranked] == pytest.approx([cosines[f.chunk_id] for f in ranked], abs=1e-4)


@pytest.mark.parametrize("which", ["small", "large"])
def test_of_one_source_the_nearest_are_found_among_its_own(filled: Filled, which: str) -> None:
    asked, own = questions(filled), [row for row in range(ROWS) if (row % 3 == 0) == (which == "small")]
    found = [filled.nearest(one, [getattr(filled, which).pk]) for one in asked]
    assert all(set(one) <= {filled.chunks[row] for row in own} for one in found)
    assert recall(found, [filled.exactly(one, own) for one in asked]) >= 0.98
    assert filled.nearest(asked[0], [-1]) == []


def test_rows_that_are_gone_take_no_other_with_them(filled: Filled) -> None:
    """A matrix in memory may still name them: searches look which chunks are there, and rank more than they show."""
    (asked, *_) = questions(filled)
    before = filled.nearest(asked)
    remove_vectors(CHUNKS, before[:4])
    Chunk.objects.filter(pk__in=before[:4]).delete()
    filled.space.refresh_from_db()
    assert filled.space.removed == 4
    there = set(Chunk.objects.values_list("pk", flat=True))
    assert [chunk for chunk in filled.nearest(asked) if chunk in there][:6] == before[4:]


def test_a_vector_that_comes_anew_takes_the_place_of_the_old_one(filled: Filled) -> None:
    """As of a code example whose summary changed."""
    (asked, *_) = questions(filled)
    best, *_, tenth = filled.nearest(asked)
    row = ChunkVector.objects.get(chunk=best)
    row.delete()
    far = ChunkVector.objects.create(
        space=filled.space, chunk_id=best, content_hash="new", vector=(-asked).astype("<f4").tobytes()
    )
    vector_index().add(filled.space, [VectorEntry(best, Chunk.objects.get(pk=best).item_id, bytes(far.vector or b""))])
    assert best not in filled.nearest(asked)
    assert tenth in filled.nearest(asked)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps no matrix in the process")
def test_a_matrix_that_lost_a_tenth_of_its_rows_is_made_anew(filled: Filled) -> None:
    (asked, *_) = questions(filled)
    filled.nearest(asked)
    index: Any = vector_index()
    assert len(index._matrix) == ROWS
    remove_vectors(CHUNKS, filled.chunks[: ROWS // 20])
    filled.space.refresh_from_db()
    filled.nearest(asked)
    assert len(index._matrix) == ROWS
    remove_vectors(CHUNKS, filled.chunks[ROWS // 20 : ROWS // 8])
    filled.space.refresh_from_db()
    filled.nearest(asked)
    assert len(index._matrix) == ROWS - ROWS // 8


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps no matrix in the process")
def test_beyond_the_exact_rows_a_chunk_costs_bits_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Matrix(space_id=1, dimension=384, removed=0)
    row = np.ones(384, "<f4").tobytes()
    monkeypatch.setattr(matrix, "EXACT_ROWS", 2_000)
    for start in range(0, 10_000, 1_000):
        made.extend([(start + n, start + n, 1, row) for n in range(1_000)])
    assert made.exact is None
    assert made.signs is not None
    held = sum(column._data.nbytes for column in (made.signs, made.ids, made.items))
    # 48 bytes of signs and two numbers of eight, and room to grow up to twice that.
    assert held <= 10_000 * (48 + 16) * 2


def test_a_product_of_vectors_keeps_to_one_thread() -> None:
    """Of the whole process: a second one of numpy's would spin on the other core and halve the speed of searches."""
    program = """
import os, django
django.setup()
from knowledge.search import matrix
import numpy as np
np.ones((2_000, 384), "<f4") @ np.ones(384, "<f4")
print(len(os.listdir("/proc/self/task")))
"""
    told = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert told.stdout.strip() == "1"
