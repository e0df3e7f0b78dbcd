"""From a question to hits: check, rank, load, and answer by chunk or by page."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from knowledge.embedding import embedded_text
from knowledge.models import Chunk
from knowledge.plain import without_addresses
from knowledge.search.asked import items_of, question_of
from knowledge.search.fusion import Fused, fused
from knowledge.search.indexed import CHUNKS
from knowledge.search.query import Scores, SearchHit, SearchOutcome, SearchQuery, rounded
from knowledge.search.rankings import CANDIDATES_PER_MATCH, EMBEDDED_QUERY_CHARS, LEAST_CANDIDATES, rankings
from knowledge.search.rerank import RERANKED, RerankFailed, reranker, share
from knowledge.search.snippet import snippet
from knowledge.search.weak import is_weak
from knowledge.search.words import Question
from progress import tracing
from progress.wire import storable

logger = logging.getLogger(__name__)

# A match of more than this and its neighbours would be a page again.
MOST_JOINED = 2
LEAST_OVERLAP, MOST_OVERLAP = 10, 200
# Of what repeats a text that was shown already.
SPARE_MATCHES = 20
# How much a page's second and third best chunk add to its best.
PAGE_EVIDENCE = (1.0, 0.5, 0.25)


class _Match(NamedTuple):
    """A chunk on its way to a hit: `keyword` and `vector` are those rankings' own scores, `score` is relative."""

    chunk_id: int
    document_id: int
    ordinal: int
    score: float
    scores: Scores
    # Chunks beside it, which are shown with it.
    joined: tuple[int, ...] = ()
    on_page: int = 1
    average: float = 0.0


def search(query: SearchQuery) -> SearchOutcome:
    """Raises BadQuery and UnknownSource. No hits means that nothing matches, never that something failed."""
    with tracing.span("search", mode=query.mode, match_count=query.match_count) as current:
        outcome = _search(query)
        current.set_attribute("hits", len(outcome.hits))
        current.set_attribute("mode_done", outcome.mode)
        return outcome


def _search(query: SearchQuery) -> SearchOutcome:
    asked = question_of(query)
    items = items_of(query)
    if items is not None and not items:
        return SearchOutcome((), query.mode)
    limit = max(LEAST_CANDIDATES, CANDIDATES_PER_MATCH * query.match_count)
    ranked = rankings(query, asked, items, CHUNKS, limit)
    matches = _matches(fused(ranked.keyword, ranked.vector, ranked.unseen))
    chosen = _by_page(matches) if query.return_mode == "pages" else _neighbours_joined(matches)
    second = _reranked(chosen, query.text)
    hits = tuple(_hits(second.matches, asked, query.match_count))
    notice = " ".join(filter(None, (ranked.notice, second.notice)))
    return SearchOutcome(hits, ranked.mode, second.applied, notice, is_weak(hits, query.text, ranked, items))


# What a hit is made of. Whole rows of three tables, dates and all, took a third of a search.
HIT_FIELDS = (
    *("document_id", "item_id", "ordinal", "content_hash", "heading_path", "anchor", "content"),
    *("document__url", "document__title", "document__word_count"),
    *("item__source_id", "item__knowledge_type", "item__tags"),
)


def _matches(ranked: Sequence[Fused]) -> list[_Match]:
    """Only of chunks that are there: the ranking may be older than a crawl's last commit."""
    chunks = Chunk.objects.filter(pk__in=[chunk.chunk_id for chunk in ranked])
    places = {pk: (document, ordinal) for pk, document, ordinal in chunks.values_list("pk", "document_id", "ordinal")}
    return [
        _Match(one.chunk_id, *places[one.chunk_id], one.score, Scores(keyword=one.keyword, vector=one.vector))
        for one in ranked
        if one.chunk_id in places
    ]


def _neighbours_joined(matches: Sequence[_Match]) -> list[_Match]:
    """Chunks that stand side by side on their page become one match, in the place of the better one."""
    places: dict[tuple[int, int], int] = {}
    chosen: list[_Match] = []
    for match in matches:
        beside = (places.get((match.document_id, match.ordinal + step)) for step in (-1, 1))
        place = next((at for at in beside if at is not None and len(chosen[at].joined) < MOST_JOINED), None)
        if place is None:
            place = len(chosen)
            chosen.append(match)
        else:
            best = chosen[place]
            chosen[place] = best._replace(joined=(*best.joined, match.chunk_id), on_page=best.on_page + 1)
        places[match.document_id, match.ordinal] = place
    return chosen


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


class _Second(NamedTuple):
    """The matches after a second look; `applied` is false when there was none, `notice` why it failed."""

    matches: list[_Match]
    applied: bool = False
    notice: str = ""


def _reranked(matches: list[_Match], text: str) -> _Second:
    """The best in the order of the reranker, the others behind them."""
    model = reranker()
    if model is None or not matches:
        return _Second(matches)
    rows = Chunk.objects.filter(pk__in=[match.chunk_id for match in matches[:RERANKED]])
    passages = {
        pk: embedded_text(path, content) for pk, path, content in rows.values_list("pk", "heading_path", "content")
    }
    first = [match for match in matches[:RERANKED] if match.chunk_id in passages]
    try:
        scores = model.scores(storable(text)[:EMBEDDED_QUERY_CHARS], [passages[match.chunk_id] for match in first])
    except RerankFailed as error:
        logger.warning("%s", error)
        return _Second(matches, notice=str(error))
    best = share(max(scores, default=0.0))
    scored = [
        match._replace(score=share(score) / best, scores=match.scores._replace(rerank=score))
        for match, score in zip(first, scores, strict=True)
    ]
    scored.sort(key=lambda match: -match.score)
    lowest = scored[-1].score if scored else 1.0
    others = [match._replace(score=lowest * match.score) for match in matches[RERANKED:]]
    return _Second([*scored, *others], applied=True)


def _hits(matches: Sequence[_Match], asked: Question, count: int) -> Iterator[SearchHit]:
    """The best `count`, each text once: print views and mirrors hold the same under another address."""
    chunks = Chunk.objects.select_related("document", "item").only(*HIT_FIELDS)
    shown = matches[: count + SPARE_MATCHES]
    rows = chunks.in_bulk([pk for match in shown for pk in (match.chunk_id, *match.joined)])
    texts: set[str] = set()
    for match in shown:
        chunk = rows.get(match.chunk_id)
        if chunk is None or chunk.content_hash in texts:
            continue
        texts.add(chunk.content_hash)
        beside = [rows[pk] for pk in match.joined if pk in rows]
        yield _hit(chunk, match, asked, text_of([chunk, *beside]))
        if len(texts) == count:
            return


def _hit(chunk: Chunk, match: _Match, asked: Question, text: str) -> SearchHit:
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
        content=text,
        knowledge_type=chunk.item.knowledge_type,
        tags=tuple(chunk.item.tags),
        page_word_count=chunk.document.word_count,
        score=rounded(match.score),
        scores=match.scores.rounded(),
        snippet=snippet(without_addresses(text), asked.lexemes),
        chunk_matches=match.on_page,
        average_score=rounded(match.average or match.score),
    )


def text_of(chunks: Sequence[Chunk]) -> str:
    """In reading order; where cut prose overlaps, its repeated beginning is left out."""
    first, *others = sorted(chunks, key=lambda chunk: chunk.ordinal)
    text = first.content
    for chunk in others:
        repeated = next(
            (size for size in range(MOST_OVERLAP, LEAST_OVERLAP, -1) if text.endswith(chunk.content[:size])), 0
        )
        text += chunk.content[repeated:] if repeated else f"\n\n{chunk.content}"
    return text
