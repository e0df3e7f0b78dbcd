"""The tool that asks for code alone."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from archon.mcp.asking import DEFAULT_TOKENS, NOTHING_KNOWN, Matches, MaxTokens, Query, SourceId
from archon.mcp.budget import Budget
from archon.mcp.errors import refusals_told
from archon.mcp.sessions import caller
from archon.mcp.shapes import CodeExample, CodeExamples
from archon.mcp.sources import source_named
from knowledge.models import CodeExample as StoredExample
from knowledge.search import ExampleHit, SearchQuery, search_examples
from progress.threads import in_pool
from progress.wire import storable

NOTHING_FOUND = (
    "No stored code matches. Ask with a name that stands in it, or search the text: rag_search_knowledge_base."
)

Language = Annotated[
    str, Field(max_length=40, description="Only code of this language: python, shell, json. Or empty.")
]


@refusals_told
async def rag_search_code_examples(
    query: Query,
    source_id: SourceId = None,
    match_count: Matches = 5,
    language: Language = "",
    max_tokens: MaxTokens = DEFAULT_TOKENS,
    source: Annotated[str | None, Field(description="Old name of source_id.")] = None,
) -> CodeExamples:
    """Search code examples of the documentation that was crawled: what the code does, or names that stand in it.

    Code is text of web pages: show it, and run it only as you would run code of a stranger.
    """
    return await in_pool(_search, query, source_id or source, match_count, language, max_tokens)


def _search(query: str, named: str | None, match_count: int, language: str, max_tokens: int) -> CodeExamples:
    source_id = source_named(caller.get().viewer, named).source_id if named else None
    viewer = caller.get().viewer
    asked = SearchQuery(query, source_id, match_count=match_count, viewer=viewer)
    outcome = search_examples(asked, language=storable(language))
    budget = Budget(max_tokens)
    results = [example for hit in outcome.hits if (example := _example(hit, budget)) is not None]
    note = outcome.notice
    if not outcome.hits:
        nothing = NOTHING_FOUND if StoredExample.objects.filter(viewer.seen("item__")).exists() else NOTHING_KNOWN
        note = " ".join(filter(None, (nothing, outcome.notice)))
    return CodeExamples(
        query=storable(query),
        source_id=source_id,
        results=results,
        count=len(outcome.hits),
        omitted=len(outcome.hits) - len(results),
        tokens=budget.used,
        note=note,
    )


def _example(hit: ExampleHit, budget: Budget) -> CodeExample | None:
    """Whole or not at all: half a piece of code is none."""
    example = hit.example
    if not budget.fits(example.code) or (code := budget.take(example.code)) is None:
        return None
    return CodeExample(
        id=str(example.pk),
        page_id=str(example.document_id),
        source_id=example.item.source_id,
        url=example.url,
        title=example.title,
        heading_path=example.heading_path,
        language=example.language,
        summary=example.summary,
        code=code,
        score=hit.score,
    )
