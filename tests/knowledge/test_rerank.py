"""A cross-encoder, when there is one, orders the best matches anew; without one nothing changes.

No such model is among the requirements: a stand-in behind the same protocol says what it was asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from archon import doctor
from knowledge.search import SearchQuery, rerank, retrieve, search
from knowledge.search.rerank import CrossEncoder, RerankFailed, reranker
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store

ROOT = Path(__file__).resolve().parent.parent.parent


class Stand:
    """Scores by how often a passage says `best`; `error` is raised instead."""

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.asked: list[tuple[str, list[str]]] = []

    def scores(self, question: str, passages: Sequence[str]) -> list[float]:
        if self.error:
            raise RerankFailed(self.error)
        self.asked.append((question, list(passages)))
        return [2.0 * passage.count("best") - 3.0 for passage in passages]


@pytest.fixture
def use(db: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[Stand], Stand]:
    store(
        source(),
        page("words.html", "# Walrus\n\nWalrus, walrus, walrus.", "Walrus"),
        page("meant.html", "# Sea\n\nThe best and best place to meet a walrus.", "Sea"),
        page("other.html", "# Ice\n\nA walrus on ice.", "Ice"),
    )

    def use(stand: Stand) -> Stand:
        monkeypatch.setattr(retrieve, "reranker", lambda: stand)
        return stand

    return use


def ends(outcome: Any) -> list[str]:
    return [hit.page_url.rpartition("/")[2] for hit in outcome.hits]


@pytest.mark.parametrize("return_mode", ["chunks", "pages"])
def test_the_best_matches_are_ordered_by_the_reranker(use: Callable[[Stand], Stand], return_mode: Any) -> None:
    before = search(SearchQuery("walrus", return_mode=return_mode, viewer=OPERATOR))
    assert (before.reranked, before.hits[0].scores.rerank, ends(before)[0]) == (False, None, "words.html")
    stand = use(Stand())
    after = search(SearchQuery("walrus", return_mode=return_mode, viewer=OPERATOR))
    assert (after.reranked, after.notice, ends(after)[0]) == (True, "", "meant.html")
    assert [hit.scores.rerank for hit in after.hits] == [1.0, -3.0, -3.0]
    assert after.hits[0].score == 1.0
    assert 0 < after.hits[1].score == after.hits[2].score < 0.1
    ((question, passages),) = stand.asked
    assert question == "walrus"
    assert "Sea\nThe best and best place to meet a walrus." in passages


def test_matches_beyond_the_reranked_stay_behind_them(
    use: Callable[[Stand], Stand], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ends(search(SearchQuery("walrus", viewer=OPERATOR)))
    use(Stand())
    monkeypatch.setattr(retrieve, "RERANKED", 2)
    after = search(SearchQuery("walrus", viewer=OPERATOR))
    assert set(ends(after)[:2]) == set(plain[:2])
    assert after.hits[2].scores.rerank is None
    assert after.hits[2].score <= after.hits[1].score


def test_a_reranker_that_fails_leaves_the_order_and_says_so(use: Callable[[Stand], Stand], client: Client) -> None:
    plain = ends(search(SearchQuery("walrus", viewer=OPERATOR)))
    use(Stand(error="The reranker m gives no scores: no such file"))
    body = client.post("/api/rag/query", {"query": "walrus"}, content_type="application/json").json()
    assert [hit["url"].rpartition("/")[2].partition("#")[0] for hit in body["results"]] == plain
    assert (body["reranking_applied"], body["notice"]) == (False, "The reranker m gives no scores: no such file")


def test_rest_tells_the_score(use: Callable[[Stand], Stand], client: Client) -> None:
    use(Stand())
    body = client.post("/api/rag/query", {"query": "walrus"}, content_type="application/json").json()
    assert body["reranking_applied"] is True
    assert body["results"][0]["scores"]["rerank"] == 1.0


def test_nothing_matches_nothing_is_asked(use: Callable[[Stand], Stand]) -> None:
    stand = use(Stand())
    assert search(SearchQuery("zebra", mode="keyword", viewer=OPERATOR)).hits == ()
    assert stand.asked == []


def test_without_the_setting_there_is_none_and_the_doctor_skips_it() -> None:
    assert reranker() is None
    assert doctor.reranking().status == "skipped"


def test_a_model_that_cannot_be_loaded_is_told_by_the_doctor(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ValueError(f"Model {name} is not supported")

    settings.RERANKER = "no/model"
    monkeypatch.setattr(rerank, "_loaded", missing)
    try:
        assert isinstance(reranker(), CrossEncoder)
        found = doctor.reranking()
    finally:
        rerank.reset_reranker()
    assert (found.status, "Model no/model is not supported" in found.detail) == ("failed", True)


def test_the_setting_without_the_package_stops_the_start() -> None:
    """A finder stands in the way, so that it holds also where fastembed is installed."""
    code = "import sys, importlib.util; importlib.util.find_spec = lambda *_: None; import archon.settings"
    environment = {**os.environ, "ARCHON_RERANKER": "Xenova/ms-marco-MiniLM-L-6-v2"}
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert found.returncode == 1
    assert "ARCHON_RERANKER needs the package fastembed: pip install fastembed" in found.stderr
