"""Pages of a source: the list, and a page in full."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router

from knowledge import schemas
from knowledge.api.params import Offset, PageLimit, Text, item_of, window
from knowledge.bodies import diff_body, page_body, page_summary_body
from knowledge.diff import diff_of
from knowledge.errors import BadQuery
from knowledge.models import Document
from knowledge.pages import page_by_id, page_by_url
from knowledge.rendering import render_page
from progress.viewer import viewer_of
from progress.wire import storable

router = Router()


@router.get("/pages", response=schemas.PageList, summary="Pages of a source")
def list_pages(
    request: HttpRequest, source_id: Text = "", section: Text = "", limit: PageLimit = 1_000, offset: Offset = 0
) -> dict[str, Any]:
    if not source_id:
        raise BadQuery("source_id is missing.", hint="GET /api/rag/sources lists the sources.", field="source_id")
    item = item_of(viewer_of(request), source_id)
    pages = Document.objects.filter(item=item, alias_of=None).defer("markdown")
    total = item.document_count
    if section:
        pages = pages.filter(title__icontains=storable(section))
        total = pages.count()
    rows = enumerate(pages.order_by("item", "id")[offset : offset + limit], start=offset)
    return {
        "pages": [page_summary_body(page, order) for order, page in rows],
        "source_id": item.source_id,
        **window(total, limit, offset),
    }


@router.get("/pages/by-url", response=schemas.Page, summary="The text of a page, by URL")
def read_page_by_url(request: HttpRequest, url: Annotated[str, Query(max_length=8_000)] = "") -> dict[str, Any]:
    return page_body(page_by_url(viewer_of(request), url))


@router.get("/pages/{page_id}", response=schemas.Page, summary="The text of a page")
def read_page(request: HttpRequest, page_id: str) -> dict[str, Any]:
    return page_body(page_by_id(viewer_of(request), page_id))


@router.get("/pages/{page_id}/html", response=schemas.PageHtml, summary="A page as HTML that is safe to show")
def read_page_html(request: HttpRequest, page_id: str) -> dict[str, Any]:
    """Made from the Markdown: no HTML of the page, no scripts, no images; links lead to http, https and mailto."""
    page = page_by_id(viewer_of(request), page_id)
    text = page.alias_of or page
    rendered = render_page(text.markdown, page.url)
    return {
        "id": str(page.pk),
        "source_id": page.item.source_id,
        "url": page.url,
        "title": text.title,
        "html": rendered.html,
        "truncated": rendered.truncated,
    }


@router.get("/pages/{page_id}/diff", response=schemas.PageDiff, summary="What changed in a page")
def read_page_diff(request: HttpRequest, page_id: str, since: datetime | None = None) -> dict[str, Any]:
    """Its text as it was at `since` (ISO 8601; without it, before its last change) and as it is, line by line."""
    page = page_by_id(viewer_of(request), page_id)
    return diff_body(page, diff_of(page, since))
