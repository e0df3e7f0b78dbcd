"""PostgreSQL: of the chunks with a very common word a bounded number is ranked, its titles and headings first."""

from __future__ import annotations

import pytest
from django.db import connection

from knowledge.models import Chunk
from knowledge.search import postgres
from knowledge.search.keyword import index_for, keyword_index
from knowledge.search.words import question
from tests.knowledge.pages import page, source, store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were very many: ten chunks are common, six are ranked."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite's BM25 ranks all that match, at a tenth of the cost")
    index_for.cache_clear()
    monkeypatch.setattr(postgres, "RANKED_CHUNKS", 6)
    monkeypatch.setattr(postgres, "RANKED_LEXEMES", 6)


def ranked(text: str, limit: int) -> list[str]:
    found = keyword_index().rank(question(text), items=None, limit=limit)
    titles = dict(Chunk.objects.values_list("pk", "document__title"))
    return [titles[one.chunk_id] for one in found]


def test_the_title_is_found_in_whatever_order_pages_came_and_no_more_are_ranked_than_may_be() -> None:
    item = source("common")
    store(item, *(page(f"{number}", f"A widget of {number}.", title=f"Page {number}") for number in range(20)))
    store(item, page("named", "It turns.", title="Widget"), page("headed", "# Its widget\n\nIt turns.", title="Other"))
    assert ranked("widget", 2) == ["Widget", "Other"]
    more = ranked("widget", 50)
    assert more[:2] == ["Widget", "Other"]
    # The two, and of the six that are ranked without an order those that are not the two again.
    assert 6 <= len(more) <= 2 + 6
    assert set(more[2:]) <= {f"Page {number}" for number in range(20)}


def test_a_rare_word_beside_it_still_decides() -> None:
    item = source("common")
    store(item, *(page(f"{number}", f"A widget of {number}.", title=f"Page {number}") for number in range(20)))
    store(item, page("rare", "A widget with a sprocket.", title="Last"))
    assert ranked("widget sprocket", 5) == ["Last"]
    assert ranked("sprocket", 5) == ["Last"]


def test_headings_have_an_index_of_their_own() -> None:
    """Without it every row with the word is read."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN SELECT 1 FROM knowledge_chunk_words w WHERE {postgres.IN_HEADS}", ["'widget'"])
        plan = " ".join(line for (line,) in cursor.fetchall())
    assert "knowledge_chunk_words_heads" in plan
