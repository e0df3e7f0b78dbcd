"""Small sources and pages for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.utils import timezone

from knowledge.actions import get_or_create_item
from knowledge.ingest import IncomingDocument, Stored, prepare_document, store_documents
from knowledge.ingest.chunking import ChunkText, Headings, Measure, chunk_sections, sections
from knowledge.models import Chunk, Document, KnowledgeItem

SITE = "https://docs.example.com"


def source(name: str = "example", **fields: Any) -> KnowledgeItem:
    defaults = {"source_id": f"source-of-{name:>10}".replace(" ", "0"), "url": f"{SITE}/", "title": name}
    return get_or_create_item(**{**defaults, **fields})


def page(path: str, markdown: str, title: str = "A page", **fields: Any) -> IncomingDocument:
    url = f"{SITE}/{path}"
    url_hash = sha256(url.encode()).hexdigest()[:32]
    return IncomingDocument(
        url=url, url_hash=url_hash, title=title, markdown=markdown, fetched_at=timezone.now(), **fields
    )


def store(item: KnowledgeItem, *pages: IncomingDocument, generation: int = 1) -> list[Stored]:
    with transaction.atomic():
        return store_documents(item.pk, [prepare_document(one) for one in pages], generation=generation)


def assert_counts_exact(item: KnowledgeItem) -> None:
    """The denormalised counts equal the rows, of the source and of each page."""
    item.refresh_from_db()
    documents = Document.objects.filter(item=item, alias_of=None)
    assert item.document_count == documents.count()
    assert item.chunk_count == Chunk.objects.filter(item=item).count()
    assert item.word_count == sum(document.word_count for document in documents)
    for document in Document.objects.filter(item=item):
        assert document.chunk_count == document.chunks.count()
        assert [chunk.ordinal for chunk in document.chunks.order_by("ordinal")] == list(range(document.chunk_count))


def chunks_of(
    markdown: str, title: str, headings: Headings = (), measure: Measure | None = None
) -> tuple[ChunkText, ...]:
    """Of a page, as it is prepared."""
    return chunk_sections(sections(markdown, title, headings), measure)


def texts(chunks: Sequence[Any]) -> list[str]:
    return [chunk.content for chunk in chunks]
