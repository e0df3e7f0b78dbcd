"""From a question to hits: check, rank, load, and answer by chunk or by page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from knowledge.errors import BadQuery, UnknownSource
from knowledge.models import Chunk, KnowledgeItem
from knowledge.search.keyword import Ranked, keyword_index
from knowledge.search.query import MAX_MATCHES, MAX_QUERY_CHARS, Scores, SearchHit, SearchOutcome, SearchQuery
from knowledge.search.snippet import snippet
from knowledge.search.words import Question, question
from progress.wire import storable

# More is ranked than is shown: pages gather several chunks, and a ranking to fuse with needs depth.
CANDIDATES_PER_MATCH = 5
LEAST_CANDIDATES = 50
# How much a page's second and third best chunk add to its best.
PAGE_EVIDENCE = (1.0, 0.5, 0.25)


class _Match(NamedTuple):
    """A chunk on its way to a hit: `keyword` is the index's own score, `score` the one relative to the best."""

    chunk_id: int
    document_id: int
    keyword: float
    score: float
    on_page: int = 1
    average: float = 0.0


def search(query: SearchQuery) -> SearchOutcome:
    """Raises BadQuery and UnknownSource. No hits means that nothing matches, never that something failed."""
    asked = _question(query)
    items = _items(query)
    if items is not None and not items:
        return SearchOutcome((), "keyword")
    limit = max(LEAST_CANDIDATES, CANDIDATES_PER_MATCH * query.match_count)
    matches = _matches(keyword_index().rank(asked, items=items, limit=limit))
    chosen = _by_page(matches) if query.return_mode == "pages" else matches
    return SearchOutcome(tuple(_hits(chosen[: query.match_count], asked)), "keyword")


def _question(query: SearchQuery) -> Question:
    if query.mode == "vector":
        raise BadQuery("There are no vectors to search.", code="mode_unavailable", hint="Use keyword.", field="mode")
    if not 1 <= query.match_count <= MAX_MATCHES:
        raise BadQuery(f"match_count is {query.match_count}: expected 1 to {MAX_MATCHES}.", field="match_count")
    if not query.text.strip():
        raise BadQuery("The query is empty.", code="query_empty", hint="Ask with a word or two.", field="query")
    if len(query.text) > MAX_QUERY_CHARS:
        message = f"The query has {len(query.text)} characters: expected at most {MAX_QUERY_CHARS}."
        raise BadQuery(message, code="query_too_long", hint="Ask with the words that matter.", field="query")
    asked = question(query.text)
    if not asked.lexemes:
        message = "The query holds no letter or digit to search for."
        raise BadQuery(message, code="query_without_words", hint="Ask with a word or two.", field="query")
    return asked


def _items(query: SearchQuery) -> Collection[int] | None:
    """The sources to search in; None for all, which spares the index a look at every chunk's source."""
    visible = KnowledgeItem.objects.visible()
    if query.source_id is not None:
        source_id = storable(query.source_id)
        found = visible.filter(source_id=source_id).first()
        if found is None:
            raise UnknownSource.of(source_id, field="source")
        visible = visible.filter(pk=found.pk)
    elif not query.tags and not KnowledgeItem.objects.filter(deleted_at__isnull=False).exists():
        return None
    return list(visible.tagged(map(storable, query.tags)).values_list("pk", flat=True))


def _matches(ranked: Sequence[Ranked]) -> list[_Match]:
    """Only of chunks that are there: the ranking may be older than a crawl's last commit."""
    chunks = Chunk.objects.filter(pk__in=[chunk.chunk_id for chunk in ranked])
    documents = dict(chunks.values_list("pk", "document_id"))
    found = [chunk for chunk in ranked if chunk.chunk_id in documents]
    best = found[0].score if found and found[0].score > 0 else 1.0
    return [_Match(chunk.chunk_id, documents[chunk.chunk_id], chunk.score, chunk.score / best) for chunk in found]


def _by_page(matches: Iterable[_Match]) -> list[_Match]:
    """One match per page: its best chunk, scored with the evidence of the next two."""
    pages: dict[int, list[_Match]] = {}
    for match in matches:
        pages.setdefault(match.document_id, []).append(match)
    scored = [(_evidence(found), found) for found in pages.values()]
    best = max((evidence for evidence, _ in scored), default=1.0) or 1.0
    scored.sort(key=lambda page: -page[0])
    return [_page_match(found, evidence / best) for evidence, found in scored]


def _evidence(found: Sequence[_Match]) -> float:
    return sum(weight * match.score for weight, match in zip(PAGE_EVIDENCE, found, strict=False))


def _page_match(found: Sequence[_Match], score: float) -> _Match:
    average = sum(match.score for match in found) / len(found)
    return found[0]._replace(score=score, on_page=len(found), average=average)


def _hits(matches: Sequence[_Match], asked: Question) -> Iterator[SearchHit]:
    chunks = Chunk.objects.select_related("document", "item").defer("document__markdown")
    rows = chunks.in_bulk([match.chunk_id for match in matches])
    return (_hit(rows[match.chunk_id], match, asked) for match in matches if match.chunk_id in rows)


def _hit(chunk: Chunk, match: _Match, asked: Question) -> SearchHit:
    return SearchHit(
        chunk_id=chunk.pk,
        document_id=chunk.document_id,
        source_id=chunk.item.source_id,
        url=chunk.url,
        page_url=chunk.document.url,
        title=chunk.document.title,
        heading_path=chunk.heading_path,
        anchor=chunk.anchor,
        ordinal=chunk.ordinal,
        content=chunk.content,
        knowledge_type=chunk.item.knowledge_type,
        tags=tuple(chunk.item.tags),
        page_word_count=chunk.document.word_count,
        score=_rounded(match.score),
        scores=Scores(keyword=_rounded(match.keyword)),
        snippet=snippet(chunk.content, asked.lexemes),
        chunk_matches=match.on_page,
        average_score=_rounded(match.average or match.score),
    )


def _rounded(score: float) -> float:
    return round(score, 4)
