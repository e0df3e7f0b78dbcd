"""What is asked and what is answered: the shapes of a search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from knowledge.search.snippet import Snippet
from progress.viewer import Viewer

Mode = Literal["hybrid", "vector", "keyword"]
ReturnMode = Literal["chunks", "pages"]

MAX_QUERY_CHARS = 10_000
MAX_MATCHES = 50


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """`source_id` and `tags` narrow the sources that exist for the `viewer`; every tag must be there."""

    text: str
    source_id: str | None = None
    tags: tuple[str, ...] = ()
    match_count: int = 5
    return_mode: ReturnMode = "chunks"
    mode: Mode = "hybrid"
    viewer: Viewer = field(kw_only=True)


class Scores(NamedTuple):
    """What each ranking gave, in its own measure; None where it took no part."""

    keyword: float | None = None
    vector: float | None = None
    rerank: float | None = None

    def rounded(self) -> Scores:
        return Scores(*(None if one is None else rounded(one) for one in self))


def rounded(score: float) -> float:
    return round(score, 4)


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A chunk, or with `return_mode` pages the best chunk of a page that has `chunk_matches` of them.

    `score` is relative to the best hit of this answer (1.0); `url` leads to the chunk's heading.
    """

    chunk_id: int
    document_id: int
    source_id: str
    url: str
    page_url: str
    title: str
    heading_path: str
    anchor: str
    ordinal: int
    content: str
    knowledge_type: str
    tags: tuple[str, ...]
    page_word_count: int
    score: float
    scores: Scores
    snippet: Snippet
    chunk_matches: int = 1
    average_score: float = 0.0


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """`mode` is the search that was done, which may be less than was asked for; then `notice` says why.

    `weak`: the hits are only the nearest that there is, and none seems to answer.
    """

    hits: tuple[SearchHit, ...]
    mode: Mode
    reranked: bool = False
    notice: str = ""
    weak: bool = False
