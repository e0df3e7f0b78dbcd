"""Questions to what was learned."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Router

from knowledge import schemas
from knowledge.bodies import chunk_hit_body, page_hit_body
from knowledge.search import SearchQuery, search
from knowledge.search.evaluation import evaluate, read_questions
from progress.viewer import viewer_of
from progress.wire import storable

router = Router()


@router.post(
    "/knowledge-items/search",
    operation_id="search_knowledge_items",
    response=schemas.RagAnswer,
    summary="Search (alias of /rag/query)",
)
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
            viewer=viewer_of(request),
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
        "notice": outcome.notice,
        "weak": outcome.weak,
        "return_mode": body.return_mode,
        "took_ms": round((time.perf_counter() - started) * 1000, 2),
    }


@router.post("/rag/eval", response=schemas.RagEvaluation, summary="Score the search on your own questions")
def rag_eval(request: HttpRequest, body: schemas.RagEval) -> dict[str, Any]:
    started = time.perf_counter()
    questions = read_questions([question.model_dump() for question in body.questions])
    evaluation = evaluate(questions, list(dict.fromkeys(body.modes)), viewer=viewer_of(request))
    return {
        "modes": [asdict(score) for score in evaluation.modes],
        "ranks": evaluation.ranks,
        "took_ms": round((time.perf_counter() - started) * 1000, 2),
    }
