"""Two rankings into one: what both find counts most, and neither one's measure decides.

Scores are put between 0 and 1 (min-max) and halved: on documentation this is a little better than reciprocal
ranks (RRF), which stand in where a ranking has no spread to measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from knowledge.search.keyword import Ranked

# Cormack, Clarke and Buettcher 2009: the constant that keeps the first ranks from deciding alone.
RRF_CONSTANT = 60
WEIGHT = 0.5


class Fused(NamedTuple):
    chunk_id: int
    score: float
    keyword: float | None
    vector: float | None


def fused(keyword: Sequence[Ranked], vector: Sequence[Ranked]) -> list[Fused]:
    """Best first, scored relative to the best (1.0). Either ranking may be empty."""
    by_keyword, by_vector = dict(keyword), dict(vector)
    shares = _shares(keyword), _shares(vector)
    ids = dict.fromkeys([*by_keyword, *by_vector])
    scores = {one: sum(WEIGHT * share.get(one, 0.0) for share in shares) for one in ids}
    best = max(scores.values(), default=0.0) or 1.0
    ordered = sorted(ids, key=lambda one: (-scores[one], one))
    return [Fused(one, scores[one] / best, by_keyword.get(one), by_vector.get(one)) for one in ordered]


def _shares(ranking: Sequence[Ranked]) -> dict[int, float]:
    if not ranking:
        return {}
    highest, lowest = ranking[0].score, ranking[-1].score
    if len(ranking) < 3 or highest - lowest < 1e-9:
        first = 1 / (RRF_CONSTANT + 1)
        return {one.chunk_id: (1 / (RRF_CONSTANT + rank)) / first for rank, one in enumerate(ranking, start=1)}
    return {one.chunk_id: (one.score - lowest) / (highest - lowest) for one in ranking}
