"""Whether anything that was found seems to answer: a search by meaning always finds a nearest passage, however far it
is, and one by words a passage with one of them.

The one judgement of the product: REST, terminal, dashboard, chat and assistants take it from SearchOutcome. The bounds
come from the Python documentation, whole, with the bundled model: docs/benchmarks/search.md has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from django.db.models import Sum

from knowledge.models import KnowledgeItem
from knowledge.search.query import SearchHit
from knowledge.search.rankings import Rankings
from knowledge.search.words import Word, says, telling

# Evidence is a passage's cosine to the question and a fifth of the share of the question's words that it says.
WORDS_COUNT = 0.2
# Among more passages the nearest of what has nothing to do with a question is nearer: so much for ten times as many, up
# to what was measured.
LEAST_OF_ONE, LEAST_OF_TENFOLD, LEAST_AT_MOST = 0.14, 0.07, 0.45
# Where no cosine can be judged: by words alone, or by a model whose cosines mean something else.
LEAST_SAID = 1 / 3


def is_weak(hits: Sequence[SearchHit], asked: str, ranked: Rankings, items: Collection[int] | None = None) -> bool:
    """No hits are not weak: that nothing was found is said by itself. `items`: the sources searched, None for all."""
    if not hits or any(_cosine(hit, ranked) >= LEAST_AT_MOST for hit in hits):
        return False
    words, least = telling(asked), least_evidence(_chunks(items) if ranked.measured else 0)
    return not any(_answers(hit, words, ranked, least) for hit in hits)


def least_evidence(chunks: int) -> float:
    """What the best passage of so many must come to."""
    return min(LEAST_AT_MOST, LEAST_OF_ONE + LEAST_OF_TENFOLD * math.log10(max(1, chunks)))


def _chunks(items: Collection[int] | None) -> int:
    searched = KnowledgeItem.objects.visible()
    searched = searched if items is None else searched.filter(pk__in=items)
    return int(searched.aggregate(chunks=Sum("chunk_count", default=0))["chunks"])


def _answers(hit: SearchHit, words: Sequence[Word], ranked: Rankings, least: float) -> bool:
    said = len(says(f"{hit.heading_path} {hit.content}", words)) / max(1, len(words))
    if ranked.measured and hit.chunk_id not in ranked.unseen:
        return _cosine(hit, ranked) + WORDS_COUNT * said >= least
    return said > LEAST_SAID


def _cosine(hit: SearchHit, ranked: Rankings) -> float:
    """Of one that meaning did not rank, that of the last one it did: it is no nearer."""
    if not ranked.measured or hit.chunk_id in ranked.unseen:
        return 0.0
    if hit.scores.vector is not None:
        return hit.scores.vector
    return ranked.vector[-1].score if ranked.vector else 0.0
