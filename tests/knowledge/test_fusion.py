"""While vectors are incomplete, what has none yet is ranked by its words: the few that have one do not win by it."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge.models import Chunk, CodeExample
from knowledge.search import SearchQuery, search, search_examples
from knowledge.search.fusion import fused
from knowledge.search.keyword import Ranked
from knowledge.search.vectors import example_vector_index, vector_index
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store
from tests.knowledge.test_vectors import embed_all

WORDS = [Ranked(1, 9.0), Ranked(2, 6.0), Ranked(3, 3.0), Ranked(4, 0.0)]
MEANING = [Ranked(8, 0.5), Ranked(9, 0.4), Ranked(4, 0.3), Ranked(7, 0.1)]


def order(*rankings: Any) -> list[int]:
    return [one.chunk_id for one in fused(*rankings)]


def test_what_no_vector_was_made_of_keeps_its_place_by_words() -> None:
    assert order(WORDS, MEANING, {1, 2, 3})[:3] == [1, 2, 3]
    assert order(WORDS, MEANING, {1, 2, 3, 4})[:3] == [1, 2, 3]


def test_what_meaning_alone_found_counts_as_far_as_vectors_are_made() -> None:
    shares = [
        next(one.score for one in fused(WORDS, MEANING, unseen) if one.chunk_id == 8)
        for unseen in (set(), {1}, {1, 2}, {1, 2, 3, 4})
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0
    assert shares[-1] == 0.0


def test_with_all_vectors_both_rankings_count_alike() -> None:
    assert order(WORDS, MEANING) == order(WORDS, MEANING, {77}) == [1, 8, 9, 2, 4, 3, 7]
    assert order([], MEANING, {1}) == [8, 9, 4, 7]
    assert order(WORDS, [], {1}) == [1, 2, 3, 4]


TOLD = """The gardener waters {} in the morning, and the roses in the evening.

```python
garden = Garden("roses", {!r})
garden.water({!r}, at="morning")
```
"""


@pytest.mark.django_db
@pytest.mark.usefixtures("with_vectors")
def test_a_page_that_has_no_vector_yet_is_found_before_those_that_are_only_near(settings: Any) -> None:
    """The best by its words came last; all others have vectors, and each is nearer to the question than a vector that
    is not there."""
    settings.EMBED_SLICE_SECONDS = 60
    for index in (vector_index(), example_vector_index()):
        index._matrix = None  # type: ignore[attr-defined]
    item = source("garden")
    others = ("oaks", "pines", "firs", "ferns", "lawns", "vines", "figs")
    store(item, *(page(plant, TOLD.format(plant, plant, plant), title="Garden") for plant in others))
    embed_all()
    store(item, page("tulips", TOLD.format("tulips tulips", "tulips", "tulips"), title="Tulips"))
    asked = SearchQuery("who waters tulips, in the morning?", viewer=OPERATOR)
    (first, second, *_) = search(asked).hits
    assert Chunk.objects.get(pk=first.chunk_id).document.title == "Tulips"
    assert (first.scores.vector, first.score) == (None, 1.0)
    assert second.scores.vector is not None
    code = search_examples(SearchQuery("water('tulips', in the morning)", viewer=OPERATOR)).hits[0].example
    assert code == CodeExample.objects.get(document__title="Tulips")
    embed_all()
    assert search(asked).hits[0].scores.vector is not None
