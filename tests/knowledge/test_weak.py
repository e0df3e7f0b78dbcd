"""A search that found nothing of use says so, wherever it is asked."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from knowledge.chat.answer import EXTRACTIVE, NOTHING, prepare
from knowledge.models import KnowledgeItem
from knowledge.search import Scores, SearchQuery, search
from knowledge.search.keyword import Ranked
from knowledge.search.rankings import Rankings
from knowledge.search.vectors import vector_index
from knowledge.search.weak import is_weak, least_evidence
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store
from tests.knowledge.test_vectors import embed_all

PAGES = {
    "retry": "# Retries\n\nA request that fails is sent again. Set `retry_limit` to say how often it is tried at most.",
    "install": "# Installation\n\nInstall the package with pip, then run the server once to create its database.",
    "theme": "# Themes\n\nThe colours of the window follow the desktop; choose a dark theme in the settings.",
}
FRANCE = "What is the capital of France?"
FAR = [Ranked(9, 0.1)]


class Hit:
    heading_path = "A page"

    def __init__(self, content: str, **scores: float) -> None:
        self.content, self.scores, self.chunk_id = content, Scores(**scores), 1


def rankings(*, measured: bool = True, unseen: tuple[int, ...] = ()) -> Rankings:
    return Rankings([], FAR, "hybrid", unseen=frozenset(unseen), measured=measured)


@pytest.mark.parametrize(
    ("hits", "ranked", "weak"),
    [
        pytest.param([], rankings(), False, id="nothing at all is said by itself"),
        pytest.param([Hit("", vector=0.43)], rankings(), True, id="not near"),
        pytest.param([Hit("", vector=0.2), Hit("", vector=0.46)], rankings(), False, id="one is near"),
        pytest.param([Hit("In capital letters.", keyword=3.0, vector=0.3)], rankings(), True, id="one word of two"),
        pytest.param([Hit("In capital letters.", vector=0.37)], rankings(), False, id="one word, and nearly near"),
        pytest.param([Hit("Paris, capital of France.", vector=0.2)], rankings(), True, id="words, but far off"),
        pytest.param([Hit("Paris, capital of France.", keyword=3.0)], rankings(), True, id="meaning ranked others"),
        pytest.param([Hit("Paris, capital of France.", keyword=3.0)], rankings(unseen=(1,)), False, id="no vector yet"),
        pytest.param([Hit("", keyword=3.0, vector=0.9)], rankings(measured=False), True, id="another model's cosine"),
        pytest.param([Hit("In capitals", keyword=3.0)], rankings(measured=False), False, id="half of the words"),
    ],
)
@pytest.mark.django_db
def test_meaning_and_words_are_weighed_together(hits: list[Any], ranked: Rankings, weak: bool) -> None:
    KnowledgeItem.objects.filter(pk=source().pk).update(chunk_count=20_000)
    assert is_weak(hits, FRANCE, ranked) is weak


def test_the_nearest_of_few_passages_need_not_be_as_near_as_of_many() -> None:
    assert [round(least_evidence(chunks), 2) for chunks in (0, 1, 100, 2_400, 24_000, 200_000)] == [
        *(0.14, 0.14, 0.28, 0.38, 0.45, 0.45)
    ]


@pytest.mark.django_db
def test_only_the_passages_of_the_sources_that_were_searched_count() -> None:
    small, large = source("small"), source("large")
    KnowledgeItem.objects.filter(pk=small.pk).update(chunk_count=100)
    KnowledgeItem.objects.filter(pk=large.pk).update(chunk_count=20_000)
    hits: list[Any] = [Hit("", vector=0.3)]
    assert is_weak(hits, FRANCE, rankings(), [small.pk]) is False
    assert is_weak(hits, FRANCE, rankings(), [large.pk]) is True
    assert is_weak(hits, FRANCE, rankings()) is True


def test_of_words_alone_more_than_a_third_must_be_there() -> None:
    three = "capital France population"
    assert is_weak([Hit("A capital letter.", keyword=1.0)], three, rankings(measured=False)) is True  # type: ignore[list-item]
    assert is_weak([Hit("The capital of France.", keyword=1.0)], three, rankings(measured=False)) is False  # type: ignore[list-item]


@pytest.mark.django_db
class TestWithTheBundledModel:
    @pytest.fixture(autouse=True)
    def stored(self, with_vectors: None) -> None:
        vector_index()._matrix = None  # type: ignore[attr-defined]
        store(source(), *(page(name, text, name) for name, text in PAGES.items()))
        embed_all()

    @pytest.mark.parametrize("mode", ["hybrid", "vector"])
    def test_nonsense_is_weak_and_a_question_in_other_words_is_not(self, mode: Any) -> None:
        for asked, weak in [
            ("wobbly fnord zeppelin quux", True),
            (FRANCE, True),
            ("How many times is a failed call repeated?", False),
            ("start the server for the first time", False),
            ("retry_limit", False),
        ]:
            outcome = search(SearchQuery(asked, mode=mode, viewer=OPERATOR))
            assert (len(outcome.hits) > 0, outcome.weak) == (True, weak), asked

    def test_rest_and_chat_say_the_same(self, client: Client) -> None:
        for asked, weak in ((FRANCE, True), ("How often is a failed request sent again?", False)):
            told = client.post("/api/rag/query", {"query": asked}, content_type="application/json").json()
            assert (told["weak"], told["results"] != []) == (weak, True)
            assert prepare(asked, viewer=OPERATOR).model == (NOTHING if weak else EXTRACTIVE)

    def test_the_chat_says_that_nothing_was_found_and_what_to_do(self) -> None:
        answer = prepare(FRANCE, viewer=OPERATOR).ready
        assert answer.startswith("I found nothing that answers this; the nearest pages are “")
        assert "Crawl a site that covers it" in answer

    def test_the_chat_quotes_no_sentence_for_one_word_that_it_shares(self) -> None:
        asked = "Which server fails at midnight?"
        assert prepare(asked, viewer=OPERATOR).model == EXTRACTIVE
        KnowledgeItem.objects.update(chunk_count=20_000)
        assert prepare(asked, viewer=OPERATOR).model == NOTHING
