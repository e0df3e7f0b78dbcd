from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from django.db import close_old_connections, connection, transaction
from django.test.utils import CaptureQueriesContext

from knowledge import actions
from knowledge.errors import UnknownSource
from knowledge.ingest import prepare_document, store_documents
from knowledge.models import Chunk, Document, KnowledgeItem
from knowledge.search import SearchQuery, search
from progress.viewer import OPERATOR
from tests.knowledge.pages import assert_counts_exact, page, source, store

pytestmark = pytest.mark.django_db

THREE_PARTS = "## One\n\nalpha text\n\n## Two\n\nbeta text\n\n## Three\n\ngamma text"


def ids(document_id: int) -> dict[str, int]:
    return {chunk.content: chunk.pk for chunk in Chunk.objects.filter(document=document_id)}


def pages_found(text: str) -> list[str]:
    return [hit.page_url for hit in search(SearchQuery(text, return_mode="pages", viewer=OPERATOR)).hits]


def test_a_new_page_becomes_a_document_with_chunks_and_counts() -> None:
    item = source()
    (stored,) = store(item, page("a", THREE_PARTS, title="Greek", etag='"1"', language="en"))
    assert (stored.outcome, stored.chunks, stored.words) == ("new", 3, 12)
    document = Document.objects.get(pk=stored.document_id)
    assert (document.title, document.etag, document.language, document.generation) == ("Greek", '"1"', "en", 1)
    assert [chunk.heading_path for chunk in document.chunks.order_by("ordinal")] == [
        "Greek > One",
        "Greek > Two",
        "Greek > Three",
    ]
    assert_counts_exact(item)
    assert item.fetched_at == document.fetched_at


@pytest.mark.django_db(transaction=True)
def test_storing_outside_a_transaction_is_refused() -> None:
    item = source()
    prepared = prepare_document(page("a", "text"))
    with pytest.raises(AssertionError, match="atomic"):
        store_documents(item.pk, [prepared], generation=1)


def test_an_unchanged_page_only_renews_what_its_fetch_brought() -> None:
    item = source()
    (first,) = store(item, page("a", THREE_PARTS, etag='"1"'))
    before = Document.objects.get(pk=first.document_id)
    chunks = ids(first.document_id)
    (again,) = store(item, page("a", THREE_PARTS, etag='"2"'), generation=2)
    after = Document.objects.get(pk=first.document_id)
    assert (again.outcome, again.document_id, again.chunks, again.words) == ("unchanged", first.document_id, 3, 12)
    assert (after.etag, after.generation) == ('"2"', 2)
    assert after.fetched_at > before.fetched_at
    assert after.changed_at == before.changed_at
    assert ids(first.document_id) == chunks
    assert_counts_exact(item)


def test_equal_chunks_of_a_changed_page_keep_their_ids_in_any_new_order() -> None:
    item = source()
    (first,) = store(item, page("a", THREE_PARTS))
    before = ids(first.document_id)
    moved = "## Three\n\ngamma text\n\n## New\n\ndelta text\n\n## One\n\nalpha text"
    (second,) = store(item, page("a", moved), generation=2)
    after = ids(first.document_id)
    assert (second.outcome, second.chunks) == ("changed", 3)
    assert after["alpha text"] == before["alpha text"]
    assert after["gamma text"] == before["gamma text"]
    assert "beta text" not in after
    assert [chunk.content for chunk in Chunk.objects.order_by("ordinal")] == ["gamma text", "delta text", "alpha text"]
    assert pages_found("beta") == []
    assert len(pages_found("delta")) == 1
    assert_counts_exact(item)


def test_a_new_anchor_alone_does_not_make_a_new_chunk() -> None:
    item = source()
    (first,) = store(item, page("a", "## One\n\nalpha", headings=((2, "One", "old"),)))
    before = ids(first.document_id)
    store(item, page("a", "## One\n\nalpha\n\n## Two\n\nbeta", headings=((2, "One", "new"),)), generation=2)
    assert ids(first.document_id)["alpha"] == before["alpha"]
    assert Chunk.objects.get(pk=before["alpha"]).anchor == "new"


def test_repeated_passages_of_a_page_are_chunks_of_their_own() -> None:
    item = source()
    repeated = "## Same\n\ntext\n\n## Same\n\ntext\n\n## Same\n\ntext"
    store(item, page("a", repeated))
    assert Chunk.objects.count() == 3
    store(item, page("a", "## Same\n\ntext\n\n## Same\n\ntext"), generation=2)
    assert Chunk.objects.count() == 2
    assert_counts_exact(item)


def test_the_same_content_under_a_second_url_is_an_alias_without_chunks() -> None:
    item = source()
    first, second = store(item, page("", THREE_PARTS), page("index.html", THREE_PARTS))
    assert (first.outcome, second.outcome) == ("new", "alias")
    assert (second.chunks, second.words) == (0, 0)
    assert Document.objects.get(pk=second.document_id).alias_of_id == first.document_id
    assert Chunk.objects.count() == 3
    assert_counts_exact(item)
    (later,) = store(item, page("home", THREE_PARTS))
    assert Document.objects.get(pk=later.document_id).alias_of_id == first.document_id
    (refreshed,) = store(item, page("index.html", THREE_PARTS), generation=2)
    assert refreshed.outcome == "alias"


def test_another_source_with_the_same_content_keeps_its_own() -> None:
    one, two = source("one"), source("two")
    store(one, page("a", THREE_PARTS))
    (stored,) = store(two, page("a", THREE_PARTS))
    assert stored.outcome == "new"
    assert_counts_exact(two)


def test_blank_pages_are_not_aliases_of_each_other() -> None:
    item = source()
    assert [stored.outcome for stored in store(item, page("a", ""), page("b", ""))] == ["new", "new"]


def test_when_the_original_changes_its_alias_inherits_the_content_and_the_chunks() -> None:
    item = source()
    first, second = store(item, page("", THREE_PARTS), page("index.html", THREE_PARTS))
    before = ids(first.document_id)
    store(item, page("", "## Front\n\nnow omega"), generation=2)
    heir = Document.objects.get(pk=second.document_id)
    assert heir.alias_of_id is None
    assert heir.markdown == THREE_PARTS
    assert ids(second.document_id) == before
    assert pages_found("beta") == ["https://docs.example.com/index.html"]
    assert pages_found("omega") == ["https://docs.example.com/"]
    assert_counts_exact(item)
    (refreshed,) = store(item, page("index.html", THREE_PARTS), generation=2)
    assert refreshed.outcome == "unchanged"


def test_an_alias_that_gets_content_of_its_own_becomes_a_page() -> None:
    item = source()
    _, second = store(item, page("", THREE_PARTS), page("index.html", THREE_PARTS))
    (changed,) = store(item, page("index.html", "omega"), generation=2)
    assert (changed.outcome, changed.chunks) == ("changed", 1)
    assert Document.objects.get(pk=second.document_id).alias_of_id is None
    assert_counts_exact(item)


def test_a_page_that_becomes_equal_to_another_loses_its_chunks_to_it() -> None:
    item = source()
    store(item, page("a", THREE_PARTS), page("b", "omega"))
    (stored,) = store(item, page("b", THREE_PARTS), generation=2)
    assert stored.outcome == "alias"
    assert pages_found("omega") == []
    assert_counts_exact(item)


def test_two_pages_may_swap_their_content_in_one_batch() -> None:
    item = source()
    store(item, page("a", "alpha"), page("b", "beta"))
    store(item, page("a", "beta"), page("b", "alpha"), generation=2)
    assert pages_found("alpha") == ["https://docs.example.com/b"]
    assert pages_found("beta") == ["https://docs.example.com/a"]
    assert_counts_exact(item)


def test_one_url_twice_in_a_batch_counts_once_and_the_later_answer_stays() -> None:
    item = source()
    first, second = store(item, page("a", "alpha"), page("a", "beta gamma"))
    assert first.document_id == second.document_id
    assert (first.chunks + second.chunks, first.words + second.words) == (1, 2)
    assert pages_found("beta") == ["https://docs.example.com/a"]
    assert_counts_exact(item)


def test_a_page_met_again_in_the_same_crawl_adds_nothing() -> None:
    item = source()
    store(item, page("a", THREE_PARTS))
    (again,) = store(item, page("a", THREE_PARTS))
    assert (again.outcome, again.chunks, again.words) == ("unchanged", 0, 0)


@pytest.mark.parametrize("seed", range(12))
def test_counts_and_index_stay_exact_through_any_history(seed: int) -> None:
    rng = random.Random(seed)
    item = source()
    texts = ["alpha", "beta\n\n## B\n\nbeta", "gamma\n\n# C\n\n# D\n\ndelta", ""]
    last: dict[str, str] = {}
    for generation in range(1, 8):
        batch = [(rng.choice("abcde"), rng.choice(texts)) for _ in range(rng.randint(1, 6))]
        before = {path: last.get(path) for path, _ in batch}
        stored = store(item, *(page(path, text) for path, text in batch), generation=generation)
        last |= dict(batch)
        assert_counts_exact(item)
        assert len(stored) == len(batch)
        for document in Document.objects.select_related("alias_of"):
            shown = (document.alias_of or document).markdown
            assert shown == last[document.url.rpartition("/")[2]]
            assert document.alias_of is None or document.alias_of.alias_of_id is None
        for word in ("alpha", "beta", "gamma", "delta"):
            assert bool(pages_found(word)) == any(word in text for text in last.values()), before


def test_nul_and_lone_surrogates_are_stored_as_replacement_characters() -> None:
    item = source()
    (stored,) = store(item, page("a", "nul \0 and \ud800 end", title="t\0", etag="\0"))
    document = Document.objects.get(pk=stored.document_id)
    assert "\0" not in document.markdown + document.title + document.etag
    assert pages_found("nul end") == ["https://docs.example.com/a"]


def test_a_deleted_source_takes_no_more_pages() -> None:
    item = source()
    actions.delete_item(item.source_id, viewer=OPERATOR)
    with pytest.raises(UnknownSource):
        store(item, page("a", "text"))


def test_storing_a_batch_takes_a_fixed_number_of_queries() -> None:
    item = source()
    pages = [prepare_document(page(f"p{n}", f"text {n}")) for n in range(8)]
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        store_documents(item.pk, pages, generation=1)
    statements = [query for query in queries.captured_queries if "INTO knowledge_chunk_" not in query["sql"]]
    assert len(statements) <= 10


@pytest.mark.django_db(transaction=True)
def test_workers_that_meet_the_same_content_at_once_store_it_once() -> None:
    item = source()
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for n in range(5):
                store(item, page(f"{name}{n}", f"shared text {n}"))
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    close_old_connections()
    assert errors == []
    assert Document.objects.filter(alias_of=None).count() == 5
    assert Document.objects.count() == 20
    assert_counts_exact(KnowledgeItem.objects.get(pk=item.pk))


def test_the_same_page_is_prepared_the_same_way_twice() -> None:
    incoming: Any = page("a", THREE_PARTS)
    assert prepare_document(incoming) == prepare_document(incoming)
