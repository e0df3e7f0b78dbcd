"""The search benchmark judges as it says: what must fail its run does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.search.__main__ import of_crawl, of_precision, of_scores, of_weak
from tests.benchmarks.search.crawled import Crawled

GOOD = {"keyword": 0.70, "vector": 0.71, "hybrid": 0.74}


def scores(figure: str = "", hybrid: float = 0.74, answered_as: tuple[str, ...] = ()) -> dict[str, Any]:
    modes = []
    for mode, value in GOOD.items():
        figures = dict.fromkeys(("hit_at_5", "mrr", "ndcg_at_10"), value)
        if mode == "hybrid" and figure:
            figures[figure] = hybrid
        other = answered_as if mode == "vector" else ()
        modes.append({"mode": mode, **figures, "answered_as": other, "unavailable": ""})
    return {"modes": modes}


def missed(verdicts: Any) -> int:
    return sum(not verdict.met for verdict in verdicts)


def test_both_rankings_together_must_be_the_best_in_every_figure() -> None:
    assert missed(of_scores(scores())) == 0
    for figure in ("hit_at_5", "mrr", "ndcg_at_10"):
        assert missed(of_scores(scores(figure, 0.709))) == 1
        assert missed(of_scores(scores(figure, 0.71))) == 0


def test_a_mode_that_another_one_answered_is_no_comparison() -> None:
    assert missed(of_scores(scores(answered_as=("keyword",)))) == 1


@pytest.mark.parametrize(
    ("kind", "share", "misses"),
    [
        ("everyday", 0.9, 0),
        ("everyday", 0.89, 1),
        ("documented", 0.01, 0),
        ("documented", 0.02, 1),
        ("nonsense", 0.5, 1),
    ],
)
def test_what_is_documented_is_seldom_weak_and_what_is_not_mostly(kind: str, share: float, misses: int) -> None:
    good = {"documented": 0.0, "in other words": 0.0, "everyday": 1.0, "nonsense": 1.0}
    assert missed(of_weak({"hybrid": {**good, kind: share}})) == misses


@pytest.mark.parametrize(
    ("change", "misses"),
    [({}, 0), ({"seconds": 180.1}, 1), ({"first_hit": 2.1}, 1), ({"embedded": 79}, 1), ({"embedded": 0}, 1)],
)
def test_a_chunk_that_should_have_a_vector_and_has_none_is_missed(change: dict[str, Any], misses: int) -> None:
    crawl = {"pages": 9, "failed_pages": 0, "chunks": 100, "embedded": 80, "link_lists": 20}
    times = {"first_hit": 0.1, "stored_seconds": 7.0, "seconds": 180.0}
    assert missed(of_crawl(Crawled(**{**crawl, **times, **change}))) == misses


@pytest.mark.parametrize(("int8", "fp32", "misses"), [(0.98, 1.0, 0), (0.97, 1.0, 1), (0.0, 0.0, 1)])
def test_quantising_may_cost_two_of_a_hundred(int8: float, fp32: float, misses: int) -> None:
    assert missed(of_precision({"int8_ndcg_at_10": int8, "fp32_ndcg_at_10": fp32})) == misses
