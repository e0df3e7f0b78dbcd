"""Sources: lists, one source, its chunks, changes and delete."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Avg, Count, Q, Sum
from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from knowledge import actions, schemas
from knowledge.api.params import Limit, Offset, PageLimit, PageNumber, PerPage, Tags, Text, item_of, window
from knowledge.bodies import change_body, chunk_body, source_body, summary_body
from knowledge.changes import changes_of
from knowledge.failing import failures_of
from knowledge.listing import ItemFilter, ItemsPage, item_body, items_page
from knowledge.messages import ItemBody
from knowledge.models import Chunk
from progress.viewer import viewer_of
from progress.wire import storable

router = Router()


@router.get("/knowledge-items", response=schemas.ItemList, summary="List the sources")
def list_items(
    request: HttpRequest,
    page: PageNumber = 1,
    per_page: PerPage = 20,
    knowledge_type: Text = "",
    search: Text = "",
    tags: Tags = [],  # noqa: B006
    source_type: Text = "",
) -> dict[str, Any]:
    listed = items_page(_filter(request, search, knowledge_type, source_type, tags), page=page, per_page=per_page)
    return _listed(listed, [{**item_body(item, listed.failures)} for item in listed.items])


@router.get("/knowledge-items/summary", response=schemas.ItemSummaryList, summary="List the sources, short")
def list_summaries(
    request: HttpRequest,
    page: PageNumber = 1,
    per_page: PerPage = 20,
    knowledge_type: Text = "",
    search: Text = "",
    tags: Tags = [],  # noqa: B006
    source_type: Text = "",
) -> dict[str, Any]:
    listed = items_page(_filter(request, search, knowledge_type, source_type, tags), page=page, per_page=per_page)
    return _listed(listed, [summary_body(item, listed.failures) for item in listed.items])


@router.get(
    "/knowledge-items/sources",
    operation_id="list_knowledge_sources",
    response=schemas.SourceList,
    summary="All sources, for a choice",
)
@router.get("/rag/sources", response=schemas.SourceList, summary="All sources that can be searched")
def list_sources(request: HttpRequest) -> dict[str, Any]:
    items = list(ItemFilter(viewer_of(request)).items())
    failures = failures_of(items)
    sources = [source_body(item, failures) for item in items]
    return {"sources": sources, "count": len(sources)}


@router.get("/knowledge-items/{source_id}", response=schemas.Item, summary="One source")
def read_item(request: HttpRequest, source_id: str) -> ItemBody:
    item = item_of(viewer_of(request), source_id)
    return item_body(item, failures_of([item]))


@router.put("/knowledge-items/{source_id}", response=schemas.ItemChanged, summary="Change a source")
def update_item(request: HttpRequest, source_id: str, body: schemas.ItemUpdate) -> dict[str, Any]:
    changes = actions.ItemChanges(**body.model_dump(exclude_unset=True))  # type: ignore[typeddict-item]
    actions.update_item(source_id, changes, viewer_of(request))
    return {"message": "Source updated.", "source_id": source_id}


@router.delete("/knowledge-items/{source_id}", response=schemas.ItemDeleted, summary="Delete a source")
def delete_item(request: HttpRequest, source_id: str) -> dict[str, Any]:
    """It is gone for everybody at once; `progressId` tells how far its rows are taken out."""
    progress = actions.delete_item(source_id, viewer_of(request))
    return {"message": "Source deleted.", "source_id": source_id, "progressId": progress.pk}


@router.get("/knowledge-items/{source_id}/chunks", response=schemas.ChunkList, summary="Chunks in reading order")
def list_chunks(
    request: HttpRequest, source_id: str, limit: Limit = 20, offset: Offset = 0, domain_filter: Text = ""
) -> dict[str, Any]:
    item = item_of(viewer_of(request), source_id)
    chunks = Chunk.objects.filter(item=item).select_related("document").defer("document__markdown")
    total = item.chunk_count
    if domain_filter.strip():
        chunks = chunks.filter(_on_domain(storable(domain_filter).strip().lower()))
        total = chunks.count()
    rows = chunks.order_by("item", "document", "ordinal")[offset : offset + limit]
    return {
        "source_id": item.source_id,
        "domain_filter": domain_filter or None,
        "chunks": [chunk_body(chunk, item) for chunk in rows],
        **window(total, limit, offset),
    }


@router.get("/knowledge-items/{source_id}/changes", response=schemas.ChangeList, summary="What became of its pages")
def list_changes(
    request: HttpRequest, source_id: str, since: datetime | None = None, limit: PageLimit = 100, offset: Offset = 0
) -> dict[str, Any]:
    """Pages that are new, changed or gone since a date (ISO 8601; without it, the last seven days), newest first."""
    item = item_of(viewer_of(request), source_id)
    found = changes_of(item, since, limit=limit, offset=offset)
    return {
        "source_id": item.source_id,
        "since": found.since,
        "changes": [change_body(page) for page in found.pages],
        "counts": found.counts,
        **window(found.total, limit, offset),
    }


@router.get("/database/metrics", response=schemas.Metrics, summary="How much is stored")
def database_metrics(request: HttpRequest) -> dict[str, Any]:
    sums = (
        ItemFilter(viewer_of(request))
        .items()
        .order_by()
        .aggregate(
            sources_count=Count("pk"),
            pages_count=Sum("document_count", default=0),
            chunks_count=Sum("chunk_count", default=0),
            code_examples_count=Sum("code_example_count", default=0),
            words_count=Sum("word_count", default=0),
            average_pages_per_source=Avg("document_count", default=0.0),
        )
    )
    return {**sums, "timestamp": timezone.now()}


def _filter(request: HttpRequest, search: str, knowledge_type: str, source_type: str, tags: list[str]) -> ItemFilter:
    words = tuple(word for tag in tags for word in (part.strip() for part in tag.split(",")) if word)
    return ItemFilter(viewer_of(request), search, knowledge_type, source_type, words)


def _listed(listed: ItemsPage, items: list[dict[str, Any]]) -> dict[str, Any]:
    pages = {"total": listed.total, "page": listed.page, "per_page": listed.per_page, "pages": listed.pages}
    return {"items": items, **pages}


def _on_domain(domain: str) -> Q:
    """Pages of this host and of its subdomains."""
    return Q(document__url__icontains=f"://{domain}") | Q(document__url__icontains=f".{domain}/")
