"""Fills a database with as many chunks as it is told, vectors included; a child process. Prints what it did.

The text is the Python documentation through the product's own extraction and ingest, again and again; in each
further copy a fifth of the longer words is drawn anew from the words of the site, so that no two chunks
are equal and words stay as rare as they are. Vectors are drawn around one centre per page: they cost what
real ones cost, and mean nothing.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.mcp.fill import document
from tests.benchmarks.search.crawled import SITE

if TYPE_CHECKING:
    from knowledge.embedding.models import EmbeddingSpace
    from knowledge.ingest import IncomingDocument

SEED = 5
PAGES_PER_TRANSACTION = 10
VECTORS_PER_STATEMENT = 2_000
# Of the distance between two pages: chunks of one page lie closer together than pages do.
SPREAD = 0.6
REDRAWN = 0.2
INDEXES = ("genindex", "py-modindex")
_WORD = re.compile(r"[A-Za-z]{4,}")


def pages() -> Iterator[IncomingDocument]:
    """Without end: the site, then the site with other words, under other addresses."""
    from crawler.urls import url_hash

    drawn = random.Random(SEED)
    paths = [path for path in sorted(SITE.folder().rglob("*.html")) if not path.name.startswith(INDEXES)]
    words: list[str] = []
    for copy in count():
        for path in paths:
            page = document(path)
            if not copy:
                words += _WORD.findall(page.markdown)[::10]
                yield page
                continue
            url = page.url.replace("://", f"://copy-{copy}.", 1)
            yield replace(page, url=url, url_hash=url_hash(url), markdown=_redrawn(page.markdown, words, drawn))


def _redrawn(text: str, words: list[str], drawn: random.Random) -> str:
    return _WORD.sub(lambda found: drawn.choice(words) if drawn.random() < REDRAWN else found[0], text)


def fill(wanted: int) -> None:
    started = time.monotonic()
    stored = _store_pages(wanted)
    store_vectors()
    sys.stdout.write(json.dumps({"chunks": stored, "seconds": round(time.monotonic() - started, 1)}))


def _store_pages(wanted: int) -> int:
    from django.db import transaction

    from knowledge.actions import get_or_create_item
    from knowledge.ingest import prepare_document, store_documents
    from knowledge.models import Chunk

    item = get_or_create_item(source_id="bench-documentation", url="http://docs.bench.example", title="Documentation")
    left, stored = pages(), 0
    while stored < wanted:
        with transaction.atomic():
            store_documents(
                item.pk, [prepare_document(page) for page in islice(left, PAGES_PER_TRANSACTION)], generation=1
            )
        stored = Chunk.objects.count()
    return stored


def store_vectors() -> None:
    """The rows first and the index then, as after an import: on PostgreSQL it is built at once."""
    from knowledge.embedding import embedder
    from knowledge.embedding.models import ChunkVector, EmbeddingSpace
    from knowledge.models import Chunk
    from knowledge.search.vectors import vector_index

    current = embedder()
    assert current is not None, "ARCHON_EMBEDDER is off"
    space = EmbeddingSpace.objects.create(
        name=current.space, dimension=current.dimension(), state=EmbeddingSpace.State.SERVING
    )
    chunks = Chunk.objects.order_by("pk").values_list("pk", "document_id", "content_hash").iterator()
    while batch := list(islice(chunks, VECTORS_PER_STATEMENT)):
        vectors = _drawn(space, [document_id for _, document_id, _ in batch])
        ChunkVector.objects.bulk_create(
            ChunkVector(space=space, chunk_id=pk, content_hash=content_hash, vector=vector.tobytes())
            for (pk, _, content_hash), vector in zip(batch, vectors, strict=True)
        )
    vector_index().prepare(space)


def _drawn(space: EmbeddingSpace, documents: list[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    centres = {one: np.random.default_rng([SEED, one]).normal(size=space.dimension) for one in set(documents)}
    noise = np.random.default_rng([SEED, len(documents), documents[0]]).normal(size=(len(documents), space.dimension))
    vectors = np.array([centres[one] for one in documents]) + SPREAD * noise
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), "<f4")


if __name__ == "__main__":
    import django

    django.setup()
    fill(int(sys.argv[1]))
