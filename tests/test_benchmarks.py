"""The benchmarks as their make targets start them: without arguments they measure everything."""

from __future__ import annotations

from tests.benchmarks import crawl
from tests.benchmarks.search import __main__ as search
from tests.benchmarks.sites import SITES


def test_all_is_measured_when_nothing_is_named() -> None:
    assert crawl.arguments([]).sites == list(SITES)
    assert crawl.arguments(["git"]).sites == ["git"]
    assert search.arguments([]).parts == list(search.PARTS)
    assert search.arguments(["load", "scores"]).parts == ["load", "scores"]
