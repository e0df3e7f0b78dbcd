"""Lists of sources as clients see them, for REST and for the stream of changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, IntegerField, Max, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from knowledge.failing import failures_of
from knowledge.ingest.code_examples import REASONS
from knowledge.messages import ItemBody, ItemMetadata, ItemsBody, SourceFailure
from knowledge.models import Document, KnowledgeItem, KnowledgeItemQuerySet
from progress.models import Progress
from progress.plural import plural
from progress.status import Status
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
    failures: dict[str, SourceFailure]
    total: int
    page: int
    per_page: int

    @property
    def pages(self) -> int:
        return -(-self.total // self.per_page)


def items_page(chosen: ItemFilter, *, page: int = 1, per_page: int = 20) -> ItemsPage:
    """Three queries, however many sources there are."""
    items = chosen.items()
    start = (page - 1) * per_page
    shown = list(items[start : start + per_page])
    return ItemsPage(shown, failures_of(shown), items.count(), page, per_page)


def fingerprint() -> tuple[object, ...]:
    """Another one whenever the list may look different; hidden sources count too. Two queries.

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
    failed = Progress.objects.filter(status=Status.FAILED).aggregate(Count("pk"), Max("start_time"))
    return (*totals.values(), *failed.values())


def items_body(listed: ItemsPage) -> ItemsBody:
    """The `data` of a knowledge_items_update."""
    items = [item_body(item, listed.failures) for item in listed.items]
    return {"items": items, "total": listed.total, "page": listed.page, "per_page": listed.per_page}


def item_body(item: KnowledgeItem, failures: Mapping[str, SourceFailure]) -> ItemBody:
    return {
        "id": item.source_id,
        "title": item.title,
        "url": item.url,
        "source_id": item.source_id,
        "metadata": item_metadata(item, failures.get(item.source_id)),
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }


def item_metadata(item: KnowledgeItem, failure: SourceFailure | None) -> ItemMetadata:
    paper_pages = round(item.word_count / WORDS_PER_PAPER_PAGE, 1)
    return {
        "knowledge_type": item.knowledge_type,
        "tags": item.tags,
        "source_type": item.source_type,
        "status": status_of(item, failure),
        "failure": failure,
        "description": item.description,
        "document_count": item.document_count,
        "chunks_count": item.chunk_count,
        "word_count": item.word_count,
        "code_examples_count": item.code_example_count,
        "estimated_pages": paper_pages,
        "pages_tooltip": f"{plural(item.word_count, 'word')}: about {paper_pages:g} printed pages",
        "last_scraped": item.fetched_at,
        "update_frequency": item.update_frequency,
        "original_url": item.url,
        "group_name": item.group_name,
        "private": item.private,
    }


def status_of(item: KnowledgeItem, failure: SourceFailure | None) -> str:
    return KnowledgeItem.Status.ERROR if failure else item.status


def left_out(item: KnowledgeItem) -> dict[str, int]:
    """How many code blocks of a source are no example, by reason. One query."""
    sums = {reason: Sum(Cast(KT(f"code_left_out__{reason}"), IntegerField()), default=0) for reason in REASONS}
    return Document.objects.filter(item=item).exclude(code_left_out={}).aggregate(**sums)
