"""Lists of sources as clients see them, for REST and for the stream of changes."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, IntegerField, Max, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from knowledge.ingest.code_examples import REASONS
from knowledge.messages import ItemBody, ItemMetadata, ItemsBody
from knowledge.models import Document, KnowledgeItem, KnowledgeItemQuerySet
from progress.viewer import Viewer
from progress.wire import storable

WORDS_PER_PAPER_PAGE = 250


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """What a list of sources is narrowed to; empty values narrow nothing."""

    viewer: Viewer
    search: str = ""
    knowledge_type: str = ""
    source_type: str = ""
    tags: tuple[str, ...] = ()

    def items(self) -> KnowledgeItemQuerySet:
        items: KnowledgeItemQuerySet = KnowledgeItem.objects.visible_to(self.viewer).tagged(map(storable, self.tags))
        if self.search.strip():
            items = items.mentioning(storable(self.search).strip())
        if self.knowledge_type:
            items = items.filter(knowledge_type=storable(self.knowledge_type))
        if self.source_type:
            items = items.filter(source_type=storable(self.source_type))
        return items.newest_first()


@dataclass(frozen=True, slots=True)
class ItemsPage:
    items: list[KnowledgeItem]
    total: int
    page: int
    per_page: int

    @property
    def pages(self) -> int:
        return -(-self.total // self.per_page)


def items_page(chosen: ItemFilter, *, page: int = 1, per_page: int = 20) -> ItemsPage:
    """Two queries, however many sources there are."""
    items = chosen.items()
    start = (page - 1) * per_page
    return ItemsPage(list(items[start : start + per_page]), items.count(), page, per_page)


def fingerprint() -> tuple[object, ...]:
    """Another one whenever the list may look different; hidden sources count too. One query.

    Not a number that rises: a transaction that began earlier may commit later, and a purge takes
    the newest times away.
    """
    totals = KnowledgeItem.objects.aggregate(
        Count("id"),
        Max("id"),
        Max("updated_at"),
        Max("fetched_at"),
        Max("deleted_at"),
        Sum("document_count"),
        Sum("chunk_count"),
        Sum("word_count"),
        Sum("code_example_count"),
    )
    return tuple(totals.values())


def items_body(listed: ItemsPage) -> ItemsBody:
    """The `data` of a knowledge_items_update."""
    items = [item_body(item) for item in listed.items]
    return {"items": items, "total": listed.total, "page": listed.page, "per_page": listed.per_page}


def item_body(item: KnowledgeItem) -> ItemBody:
    return {
        "id": item.source_id,
        "title": item.title,
        "url": item.url,
        "source_id": item.source_id,
        "metadata": item_metadata(item),
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }


def item_metadata(item: KnowledgeItem) -> ItemMetadata:
    paper_pages = round(item.word_count / WORDS_PER_PAPER_PAGE, 1)
    return {
        "knowledge_type": item.knowledge_type,
        "tags": item.tags,
        "source_type": item.source_type,
        "status": item.status,
        "description": item.description,
        "document_count": item.document_count,
        "chunks_count": item.chunk_count,
        "word_count": item.word_count,
        "code_examples_count": item.code_example_count,
        "estimated_pages": paper_pages,
        "pages_tooltip": f"{item.word_count:,} words: about {paper_pages:g} printed pages",
        "last_scraped": item.fetched_at,
        "update_frequency": item.update_frequency,
        "original_url": item.url,
        "group_name": item.group_name,
        "private": item.private,
    }


def left_out(item: KnowledgeItem) -> dict[str, int]:
    """How many code blocks of a source are no example, by reason. One query."""
    sums = {reason: Sum(Cast(KT(f"code_left_out__{reason}"), IntegerField()), default=0) for reason in REASONS}
    return Document.objects.filter(item=item).exclude(code_left_out={}).aggregate(**sums)
