"""Code alone: from a question to code examples, by their own keyword index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knowledge.models import CodeExample
from knowledge.search.keyword import Ranked, example_index
from knowledge.search.query import Mode, Scores, SearchQuery
from knowledge.search.retrieve import items_of, question_of

CANDIDATES_PER_MATCH = 5
LEAST_CANDIDATES = 50
# With a language asked for, ranks of all languages are looked through for it.
CANDIDATES_OF_A_LANGUAGE = 1_000


@dataclass(frozen=True, slots=True)
class ExampleHit:
    """`score` is relative to the best hit of this answer (1.0); `example` has its document and item loaded."""

    example: CodeExample
    score: float
    scores: Scores


@dataclass(frozen=True, slots=True)
class ExampleOutcome:
    """`mode` is the search that was done, which may be less than was asked for."""

    hits: tuple[ExampleHit, ...]
    mode: Mode


def search_examples(query: SearchQuery, *, language: str = "") -> ExampleOutcome:
    """Raises BadQuery and UnknownSource. The same code on several pages is one hit; `return_mode` has no meaning."""
    asked = question_of(query)
    items = items_of(query)
    if items is not None and not items:
        return ExampleOutcome((), "keyword")
    limit = max(LEAST_CANDIDATES, CANDIDATES_PER_MATCH * query.match_count)
    ranked = example_index().rank(asked, items=items, limit=CANDIDATES_OF_A_LANGUAGE if language else limit)
    chosen = _distinct(ranked, language.strip().lower())[: query.match_count]
    return ExampleOutcome(tuple(_hits(chosen)), "keyword")


def _distinct(ranked: Sequence[Ranked], language: str) -> list[Ranked]:
    """The best of each code, of this language if one is asked for."""
    examples = CodeExample.objects.filter(pk__in=[match.chunk_id for match in ranked])
    if language:
        examples = examples.filter(language=language)
    content = dict(examples.values_list("pk", "content_hash"))
    best: dict[str, Ranked] = {}
    for match in ranked:
        if match.chunk_id in content:
            best.setdefault(content[match.chunk_id], match)
    return list(best.values())


def _hits(matches: Sequence[Ranked]) -> Iterable[ExampleHit]:
    examples = CodeExample.objects.select_related("document", "item").defer("document__markdown")
    rows = examples.in_bulk([match.chunk_id for match in matches])
    top = matches[0].score if matches and matches[0].score > 0 else 1.0
    for match in matches:
        if match.chunk_id in rows:
            scores = Scores(keyword=round(match.score, 4))
            yield ExampleHit(rows[match.chunk_id], round(match.score / top, 4), scores)
