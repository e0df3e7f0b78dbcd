"""Code alone: from a question to code examples, by indexes of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from knowledge.models import CodeExample
from knowledge.search.asked import items_of, question_of
from knowledge.search.fusion import Fused, fused
from knowledge.search.indexed import EXAMPLES
from knowledge.search.keyword import Ranked
from knowledge.search.query import Mode, Scores, SearchQuery, rounded
from knowledge.search.rankings import CANDIDATES_PER_MATCH, LEAST_CANDIDATES, Rankings, rankings

# With a language asked for, ranks of all languages are looked through for it.
CANDIDATES_OF_A_LANGUAGE = 1_000
NOT_YET = "Searched by words only: the vectors of code examples are still being made."


@dataclass(frozen=True, slots=True)
class ExampleHit:
    """`score` is relative to the best hit of this answer (1.0); `example` has its document and item loaded."""

    example: CodeExample
    score: float
    scores: Scores


@dataclass(frozen=True, slots=True)
class ExampleOutcome:
    """`mode` is the search that was done, which may be less than was asked for; then `notice` says why."""

    hits: tuple[ExampleHit, ...]
    mode: Mode
    notice: str = ""


def search_examples(query: SearchQuery, *, language: str = "") -> ExampleOutcome:
    """Raises BadQuery and UnknownSource. The same code on several pages is one hit; `return_mode` has no meaning."""
    asked = question_of(query)
    items = items_of(query)
    if items is not None and not items:
        return ExampleOutcome((), query.mode)
    limit = max(LEAST_CANDIDATES, CANDIDATES_PER_MATCH * query.match_count)
    looked_through = CANDIDATES_OF_A_LANGUAGE if language else limit
    ranked = rankings(query, asked, items, EXAMPLES, looked_through)
    if ranked.mode != "keyword" and not ranked.vector and _any_of(items):
        by_words = replace(query, mode="keyword")
        ranked = rankings(by_words, asked, items, EXAMPLES, looked_through)._replace(notice=NOT_YET)
    chosen = _distinct(ranked, language.strip().lower(), limit)[: query.match_count]
    return ExampleOutcome(tuple(_hits(chosen)), ranked.mode, ranked.notice)


def _any_of(items: Collection[int] | None) -> bool:
    examples = CodeExample.objects.all() if items is None else CodeExample.objects.filter(item__in=items)
    return examples.exists()


def _distinct(ranked: Rankings, language: str, limit: int) -> list[Fused]:
    """The best of each code, of this language if one is asked for."""
    examples = CodeExample.objects.filter(pk__in={one.chunk_id for one in (*ranked.keyword, *ranked.vector)})
    if language:
        examples = examples.filter(language=language)
    content = dict(examples.values_list("pk", "content_hash"))
    best: dict[str, Fused] = {}
    by_words, by_meaning = (_of(ranking, content, limit) for ranking in (ranked.keyword, ranked.vector))
    for match in fused(by_words, by_meaning, ranked.unseen):
        best.setdefault(content[match.chunk_id], match)
    return list(best.values())


def _of(ranking: Sequence[Ranked], wanted: Collection[int], limit: int) -> list[Ranked]:
    """Left out before the rankings are joined: scores are shares of what is ranked."""
    return [match for match in ranking if match.chunk_id in wanted][:limit]


def _hits(matches: Sequence[Fused]) -> Iterable[ExampleHit]:
    examples = CodeExample.objects.select_related("document", "item").defer("document__markdown")
    rows = examples.in_bulk([match.chunk_id for match in matches])
    top = matches[0].score if matches and matches[0].score > 0 else 1.0
    for match in matches:
        if match.chunk_id in rows:
            scores = Scores(match.keyword, match.vector).rounded()
            yield ExampleHit(rows[match.chunk_id], rounded(match.score / top), scores)
