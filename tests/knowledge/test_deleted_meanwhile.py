"""A source that is deleted, and purged, in the middle of what is done with it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from knowledge import purging
from knowledge.actions import delete_item
from knowledge.embedding.models import ChunkVector, ExampleVector
from knowledge.embedding.queue import pending
from knowledge.models import Chunk, KnowledgeItem
from knowledge.search import SearchQuery, search, search_examples
from knowledge.search.vectors import example_vector_index, vector_index
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store
from tests.knowledge.test_vectors import Interrupted, embed_all

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_vectors")]

CATS = "# Cats\n\nFeed every cat:\n\n```python\nfor cat in waiting():\n    cat.feed('sardines')\n```\n"


@pytest.fixture
def item(settings: Any) -> KnowledgeItem:
    settings.WORKERS = 1  # one turn embeds all
    settings.EMBED_SLICE_SECONDS = 60
    for index in (vector_index(), example_vector_index()):
        index._matrix = None  # type: ignore[attr-defined]
    made = source("leaves")
    store(made, page("cats", CATS), page("more", "# More\n\nOf cats there is more to say."))
    return made


def interrupted(item: KnowledgeItem, monkeypatch: pytest.MonkeyPatch) -> Interrupted:
    """Its first texts are embedded when the source goes."""

    def leaves() -> None:
        delete_item(item.source_id, viewer=OPERATOR)
        while purging.purge_batch():
            pass

    stand = Interrupted(leaves)
    monkeypatch.setattr(sys.modules["knowledge.embedding.embedder"], "_embedder", stand)
    return stand


def test_what_is_embedded_of_a_source_that_went_is_not_stored(
    item: KnowledgeItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays = source("stays")
    store(stays, page("stays", "# Banks\n\nA bank stays where it is."))
    stand = interrupted(item, monkeypatch)
    embed_all()
    assert stand.event is None
    assert set(ChunkVector.objects.values_list("chunk__item", flat=True)) == {stays.pk}
    assert ChunkVector.objects.count() == Chunk.objects.count() == 1
    assert not ExampleVector.objects.exists()
    assert not pending().exists()


@pytest.mark.parametrize("mode", ["hybrid", "vector"])
@pytest.mark.parametrize("looks", [search, search_examples])
def test_a_search_whose_source_goes_meanwhile_ends_without_hits(
    item: KnowledgeItem, monkeypatch: pytest.MonkeyPatch, mode: Any, looks: Any
) -> None:
    stand = interrupted(item, monkeypatch)
    leaves, stand.event = stand.event, None
    embed_all()
    asked = SearchQuery("cat", item.source_id, mode=mode, viewer=OPERATOR)
    assert len(looks(asked).hits) > 0
    stand.event = leaves
    assert looks(asked).hits == ()
    assert stand.event is None
    assert not KnowledgeItem.objects.filter(pk=item.pk).exists()
