"""Code examples: those of a source, and the search in all."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest
from ninja import Router

from knowledge import schemas
from knowledge.api.params import Limit, Offset, item_of, window
from knowledge.bodies import example_body, example_hit_body
from knowledge.describing.telling import descriptions
from knowledge.listing import left_out
from knowledge.models import CodeExample
from knowledge.search import SearchQuery, search_examples
from progress.viewer import viewer_of
from progress.wire import storable

router = Router()


@router.get(
    "/knowledge-items/{source_id}/code-examples",
    response=schemas.CodeExampleList,
    summary="Code examples in reading order",
)
def list_code_examples(request: HttpRequest, source_id: str, limit: Limit = 20, offset: Offset = 0) -> dict[str, Any]:
    item = item_of(viewer_of(request), source_id)
    examples = CodeExample.objects.filter(item=item).select_related("document", "item").defer("document__markdown")
    rows = examples.order_by("item", "document", "ordinal")[offset : offset + limit]
    return {
        "source_id": item.source_id,
        "code_examples": [example_body(example) for example in rows],
        "left_out": left_out(item),
        "descriptions": descriptions(item),
        **window(item.code_example_count, limit, offset),
    }


@router.post("/rag/code-examples", response=schemas.CodeExampleAnswer, summary="Search code")
def query_code_examples(request: HttpRequest, body: schemas.CodeExampleQuery) -> dict[str, Any]:
    started = time.perf_counter()
    outcome = search_examples(
        SearchQuery(
            text=body.query,
            source_id=body.source or None,
            tags=tuple(body.tags),
            match_count=body.match_count,
            mode=body.mode,
            viewer=viewer_of(request),
        ),
        language=storable(body.language),
    )
    return {
        "results": [example_hit_body(hit) for hit in outcome.hits],
        "query": storable(body.query),
        "source": body.source,
        "language": storable(body.language),
        "match_count": body.match_count,
        "total_found": len(outcome.hits),
        "search_mode": outcome.mode,
        "notice": outcome.notice,
        "took_ms": round((time.perf_counter() - started) * 1000, 2),
    }
