"""The two rankings of a question, by words and by meaning; or the one that is asked for or can be had."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import NamedTuple

from django.db import connection

from knowledge.embedding import EmbeddingError, embedder, local, spaces
from knowledge.embedding.models import EmbeddingSpace
from knowledge.search import keyword, vectors
from knowledge.search.indexed import Indexed
from knowledge.search.keyword import Ranked
from knowledge.search.query import Mode, SearchQuery
from knowledge.search.vectors import VectorsUnavailable
from knowledge.search.words import Question
from progress.wire import storable

logger = logging.getLogger(__name__)

# A model reads a few hundred words; the rest of a longer question would only cost time.
EMBEDDED_QUERY_CHARS = 2_000
# More is ranked than is shown: pages gather several chunks, and a ranking to fuse with needs depth.
CANDIDATES_PER_MATCH = 5
LEAST_CANDIDATES = 50


class Rankings(NamedTuple):
    """`mode` is what was done; `notice` why it is less than was asked for. `unseen`: those of `keyword` whose vector is
    still to be made. `measured`: what a cosine of `vector` means is known, for it is the bundled model's."""

    keyword: list[Ranked]
    vector: list[Ranked]
    mode: Mode
    notice: str = ""
    unseen: frozenset[int] = frozenset()
    measured: bool = False


class EmbedderOff(Exception):
    """The operator wants no vectors: searching by words is then no lack."""


def rankings(
    query: SearchQuery, asked: Question, items: Collection[int] | None, indexed: Indexed, limit: int
) -> Rankings:
    """Of these items only, or of all for None. Keyword search always can be had."""
    vector: list[Ranked] = []
    space: EmbeddingSpace | None = None
    notice = ""
    if query.mode != "keyword":
        try:
            space, vector = _nearest(query.text, items, indexed, limit)
        except EmbedderOff:
            if query.mode == "vector":
                notice = "Searched by words only: no embedder is configured (ARCHON_EMBEDDER=off)."
            return Rankings(_by_words(asked, items, indexed, limit), [], "keyword", notice)
        except (EmbeddingError, VectorsUnavailable) as error:
            notice = f"Searched by words only: {error}"
            logger.info("search without vectors: %s", error)
    if query.mode == "vector" and not notice:
        return Rankings([], vector, "vector", measured=_is_bundled(space))
    ranked = _by_words(asked, items, indexed, limit)
    mode: Mode = "keyword" if query.mode == "keyword" or notice else "hybrid"
    unseen = _unseen(ranked, vector, space, indexed)
    return Rankings(ranked, vector, mode, notice, unseen, measured=_is_bundled(space))


def _is_bundled(space: EmbeddingSpace | None) -> bool:
    return space is not None and space.name == local.SPACE


def _by_words(asked: Question, items: Collection[int] | None, indexed: Indexed, limit: int) -> list[Ranked]:
    if not asked.lexemes:
        return []
    return keyword.index_for(connection.vendor, indexed).rank(asked, items=items, limit=limit)


def _unseen(
    ranked: Sequence[Ranked], vector: Sequence[Ranked], space: EmbeddingSpace | None, indexed: Indexed
) -> frozenset[int]:
    """A row without a vector because it wants none, or was refused, was looked at."""
    ids = {one.chunk_id for one in ranked} - {one.chunk_id for one in vector}
    if space is None or not vector or not ids:
        return frozenset()
    places = ", ".join(["%s"] * len(ids))
    sql = f"SELECT {indexed.key} FROM {indexed.vectors} WHERE space_id = %s AND {indexed.key} IN ({places})"  # noqa: S608 (our own names)
    with connection.cursor() as cursor:
        cursor.execute(sql, [space.pk, *ids])
        return frozenset(ids.difference(pk for (pk,) in cursor.fetchall()))


def _nearest(
    text: str, items: Collection[int] | None, indexed: Indexed, limit: int
) -> tuple[EmbeddingSpace, list[Ranked]]:
    """Raises EmbeddingError and VectorsUnavailable; the sentence is for whoever asked."""
    current = embedder()
    if current is None:
        raise EmbedderOff
    space = spaces.serving()
    if space is None:
        raise VectorsUnavailable("no text has been embedded yet.")
    if space.name != current.space:
        raise VectorsUnavailable(
            f"the vectors that serve are of {space.name}; those of {current.space} are being made."
        )
    (vector,) = current.embed([storable(text)[:EMBEDDED_QUERY_CHARS]])
    return space, vectors.index_for(connection.vendor, indexed).nearest(space, vector, items=items, limit=limit)
