"""REST of what was learned: sources, pages, chunks and search. Views parse, call and render."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import Annotated, Any

from django.db.models import Avg, Count, Q, Sum
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router

from knowledge import actions, schemas
from knowledge.bodies import (
    chunk_body,
    chunk_hit_body,
    page_body,
    page_hit_body,
    page_summary_body,
    source_body,
    summary_body,
)
from knowledge.errors import BadQuery, UnknownPage, UnknownSource
from knowledge.listing import ItemFilter, ItemsPage, item_body, items_page
from knowledge.messages import ItemBody
from knowledge.models import DIGEST_CHARS, Chunk, Document, KnowledgeItem
from knowledge.search import SearchQuery, search
from progress.wire import storable

router = Router(tags=["knowledge"])

MAX_ID = 2**63 - 1
MAX_OFFSET = 10_000_000

PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]
PerPage = Annotated[int, Query(ge=1, le=100)]
Limit = Annotated[int, Query(ge=1, le=100)]
PageLimit = Annotated[int, Query(ge=1, le=1_000)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]
Text = Annotated[str, Query(max_length=500)]
Tags = Annotated[list[str], Query(max_length=50, description="Repeated, or separated by commas.")]


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
    listed = items_page(_filter(search, knowledge_type, source_type, tags), page=page, per_page=per_page)
    return _listed(listed, [{**item_body(item)} for item in listed.items])


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
    listed = items_page(_filter(search, knowledge_type, source_type, tags), page=page, per_page=per_page)
    return _listed(listed, [summary_body(item) for item in listed.items])


@router.get("/knowledge-items/sources", response=schemas.SourceList, summary="All sources, for a choice")
@router.get("/rag/sources", response=schemas.SourceList, summary="All sources that can be searched")
def list_sources(request: HttpRequest) -> dict[str, Any]:
    sources = [source_body(item) for item in ItemFilter().items()]
    return {"sources": sources, "count": len(sources)}


@router.post("/knowledge-items/search", response=schemas.RagAnswer, summary="Search (alias of /rag/query)")
@router.post("/rag/query", response=schemas.RagAnswer, summary="Search")
def rag_query(request: HttpRequest, body: schemas.RagQuery) -> dict[str, Any]:
    started = time.perf_counter()
    outcome = search(
        SearchQuery(
            text=body.query,
            source_id=body.source or None,
            tags=tuple(body.tags),
            match_count=body.match_count,
            return_mode=body.return_mode,
            mode=body.mode,
        )
    )
    render = page_hit_body if body.return_mode == "pages" else chunk_hit_body
    return {
        "results": [render(hit) for hit in outcome.hits],
        "query": storable(body.query),
        "source": body.source,
        "match_count": body.match_count,
        "total_found": len(outcome.hits),
        "search_mode": outcome.mode,
        "reranking_applied": outcome.reranked,
        "return_mode": body.return_mode,
        "took_ms": round((time.perf_counter() - started) * 1000, 2),
    }


@router.get("/knowledge-items/{source_id}", response=schemas.Item, summary="One source")
def read_item(request: HttpRequest, source_id: str) -> ItemBody:
    return item_body(_item(source_id))


@router.put("/knowledge-items/{source_id}", response=schemas.ItemChanged, summary="Change a source")
def update_item(request: HttpRequest, source_id: str, body: schemas.ItemUpdate) -> dict[str, Any]:
    changes = actions.ItemChanges(**body.dict(exclude_unset=True))  # type: ignore[typeddict-item]
    actions.update_item(source_id, changes)
    return {"message": "Source updated.", "source_id": source_id}


@router.delete("/knowledge-items/{source_id}", response=schemas.ItemChanged, summary="Delete a source")
def delete_item(request: HttpRequest, source_id: str) -> dict[str, Any]:
    actions.delete_item(source_id)
    return {"message": "Source deleted.", "source_id": source_id}


@router.get("/knowledge-items/{source_id}/chunks", response=schemas.ChunkList, summary="Chunks in reading order")
def list_chunks(
    request: HttpRequest, source_id: str, limit: Limit = 20, offset: Offset = 0, domain_filter: Text = ""
) -> dict[str, Any]:
    item = _item(source_id)
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
        **_window(total, limit, offset),
    }


@router.get("/pages", response=schemas.PageList, summary="Pages of a source")
def list_pages(
    request: HttpRequest, source_id: Text = "", section: Text = "", limit: PageLimit = 1_000, offset: Offset = 0
) -> dict[str, Any]:
    if not source_id:
        raise BadQuery("source_id is missing.", hint="GET /api/rag/sources lists the sources.", field="source_id")
    item = _item(source_id)
    pages = Document.objects.filter(item=item, alias_of=None).defer("markdown")
    total = item.document_count
    if section:
        pages = pages.filter(title__icontains=storable(section))
        total = pages.count()
    rows = enumerate(pages.order_by("item", "id")[offset : offset + limit], start=offset)
    return {
        "pages": [page_summary_body(page, order) for order, page in rows],
        "source_id": item.source_id,
        **_window(total, limit, offset),
    }


@router.get("/pages/by-url", response=schemas.Page, summary="The text of a page, by URL")
def read_page_by_url(request: HttpRequest, url: Annotated[str, Query(max_length=8_000)] = "") -> dict[str, Any]:
    if not url.strip():
        raise BadQuery("url is missing.", field="url")
    bare = storable(url).strip().partition("#")[0]
    spellings = [bare, bare.removesuffix("/") if bare.endswith("/") else f"{bare}/"]
    keys = [sha256(spelling.encode()).hexdigest()[:DIGEST_CHARS] for spelling in spellings]
    found = {page.url_hash: page for page in _pages().filter(url_hash__in=keys).order_by("-fetched_at")}
    for key in keys:
        if key in found:
            return page_body(found[key])
    hint = "GET /api/pages lists a source's pages."
    raise UnknownPage(f"No page was stored from {bare[:200]}.", hint=hint, field="url")


@router.get("/pages/{page_id}", response=schemas.Page, summary="The text of a page")
def read_page(request: HttpRequest, page_id: str) -> dict[str, Any]:
    known = page_id.isascii() and page_id.isdigit() and len(page_id) < 20 and int(page_id) <= MAX_ID
    page = _pages().filter(pk=int(page_id)).first() if known else None
    if page is None:
        hint = "GET /api/pages lists a source's pages."
        raise UnknownPage(f"No page has the id {storable(page_id)[:40]!r}.", hint=hint, field="page_id")
    return page_body(page)


@router.get("/database/metrics", response=schemas.Metrics, summary="How much is stored")
def database_metrics(request: HttpRequest) -> dict[str, Any]:
    sums = (
        ItemFilter()
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


def _filter(search: str, knowledge_type: str, source_type: str, tags: list[str]) -> ItemFilter:
    words = tuple(word for tag in tags for word in (part.strip() for part in tag.split(",")) if word)
    return ItemFilter(search, knowledge_type, source_type, words)


def _listed(listed: ItemsPage, items: list[dict[str, Any]]) -> dict[str, Any]:
    pages = {"total": listed.total, "page": listed.page, "per_page": listed.per_page, "pages": listed.pages}
    return {"items": items, **pages}


def _window(total: int, limit: int, offset: int) -> dict[str, Any]:
    return {"total": total, "limit": limit, "offset": offset, "has_more": offset + limit < total}


def _item(source_id: str) -> KnowledgeItem:
    item = ItemFilter().items().filter(source_id=storable(source_id)).first()
    if item is None:
        raise UnknownSource.of(storable(source_id))
    return item


def _on_domain(domain: str) -> Q:
    """Pages of this host and of its subdomains."""
    return Q(document__url__icontains=f"://{domain}") | Q(document__url__icontains=f".{domain}/")


def _pages() -> Any:
    return Document.objects.filter(item__deleted_at=None).select_related("item", "alias_of")
