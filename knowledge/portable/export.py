"""A source into lines, some pages at a time: memory holds one batch, however large the source is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from django.utils import timezone

from knowledge.embedding import portable as vectors
from knowledge.embedding.models import EmbeddingSpace
from knowledge.errors import UnknownSource
from knowledge.models import Chunk, CodeExample, Document, KnowledgeItem
from knowledge.portable.form import FORMAT, VERSION, packed
from progress.viewer import Viewer
from progress.wire import storable, to_wire

PAGES_PER_READ = 20
ALIASES_PER_READ = 500
PAGE_FIELDS = (
    "url",
    "title",
    "description",
    "markdown",
    "content_type",
    "language",
    "http_status",
    "etag",
    "last_modified",
    "fetched_at",
    "first_seen_at",
    "changed_at",
)
ITEM_FIELDS = (
    "source_id",
    "url",
    "title",
    "source_type",
    "knowledge_type",
    "tags",
    "description",
    "update_frequency",
    "group_name",
)


def export_lines(source_id: str, viewer: Viewer) -> Iterator[str]:
    """Header, pages, aliases, end; each with its newline. Raises UnknownSource at the first line, and when the source
    is deleted meanwhile: the file then lacks its end. No query is open between two lines: each may be asked for in
    another thread."""
    item = _visible(source_id, viewer)
    space = vectors.serving()
    yield _line(_header(item, space))
    yield from _pages(item, space, viewer)
    yield from _aliases(item)
    yield _line({"type": "end"})


def _visible(source_id: str, viewer: Viewer) -> KnowledgeItem:
    item = KnowledgeItem.objects.visible_to(viewer).filter(source_id=storable(source_id)).first()
    if item is None:
        raise UnknownSource.of(storable(source_id))
    return item


def _header(item: KnowledgeItem, space: EmbeddingSpace | None) -> dict[str, Any]:
    aliases = Document.objects.filter(item=item).exclude(alias_of=None).count()
    return {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": timezone.now(),
        "source": {name: getattr(item, name) for name in ITEM_FIELDS},
        "counts": {"pages": item.document_count, "aliases": aliases, "chunks": item.chunk_count},
        "vectors": None if space is None else {"space": space.name, "dimension": space.dimension},
    }


def _pages(item: KnowledgeItem, space: EmbeddingSpace | None, viewer: Viewer) -> Iterator[str]:
    after = 0
    while True:
        _visible(item.source_id, viewer)
        pages = list(Document.objects.filter(item=item, alias_of=None, pk__gt=after).order_by("pk")[:PAGES_PER_READ])
        if not pages:
            return
        after = pages[-1].pk
        yield from _page_lines(pages, space)


def _page_lines(pages: Sequence[Document], space: EmbeddingSpace | None) -> Iterator[str]:
    pks = [page.pk for page in pages]
    chunks: defaultdict[int, list[Chunk]] = defaultdict(list)
    for chunk in Chunk.objects.filter(document__in=pks).order_by("document", "ordinal"):
        chunks[chunk.document_id].append(chunk)
    examples: defaultdict[int, list[CodeExample]] = defaultdict(list)
    for example in CodeExample.objects.filter(document__in=pks).order_by("document", "ordinal"):
        examples[example.document_id].append(example)
    found = vectors.vectors_of(space, pks) if space else {}
    for page in pages:
        looked_for = page.code_example_count is not None
        yield _line(
            {
                "type": "page",
                **{name: getattr(page, name) for name in PAGE_FIELDS},
                "chunks": [_chunk(chunk, found.get(chunk.pk)) for chunk in chunks[page.pk]],
                "code_examples": [_example(example) for example in examples[page.pk]] if looked_for else None,
            }
        )


def _aliases(item: KnowledgeItem) -> Iterator[str]:
    after = 0
    while True:
        aliases = Document.objects.filter(item=item, pk__gt=after).exclude(alias_of=None).order_by("pk")
        rows = list(aliases.values_list("pk", "url", "alias_of__url", "fetched_at")[:ALIASES_PER_READ])
        if not rows:
            return
        after = rows[-1][0]
        for _, url, original, fetched_at in rows:
            yield _line({"type": "alias", "url": url, "alias_of": original, "fetched_at": fetched_at})


def _chunk(chunk: Chunk, vector: bytes | None) -> dict[str, Any]:
    return {
        "heading_path": chunk.heading_path,
        "anchor": chunk.anchor,
        "content": chunk.content,
        "vector": None if vector is None else packed(vector),
    }


def _example(example: CodeExample) -> dict[str, Any]:
    names = ("language", "title", "summary", "heading_path", "anchor", "code", "described_by")
    return {name: getattr(example, name) for name in names}


def _line(body: dict[str, Any]) -> str:
    return json.dumps(to_wire(body), ensure_ascii=False, separators=(",", ":")) + "\n"
