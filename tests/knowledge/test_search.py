"""The contract of keyword search. It runs on SQLite, and with --postgres on PostgreSQL: the answers must agree."""

from __future__ import annotations

from typing import Any

import pytest

from knowledge import actions
from knowledge.errors import BadQuery, UnknownSource
from knowledge.models import Chunk, KnowledgeItem
from knowledge.search import SearchHit, SearchQuery, search
from knowledge.search.keyword import IndexEntry, index_for, keyword_index
from knowledge.search.words import indexed_text
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store

pytestmark = pytest.mark.django_db

FILLER = ["apples grow on trees", "rivers run to the sea", "the moon is far away", "bread needs flour and water"]
LIBRARY = {
    "asyncio": "# Runners\n\n`asyncio.run(main())` executes the coroutine.\n\n## Tasks\n\nA task wraps a coroutine.",
    "dict": "# Mapping types\n\n`dict.setdefault(key)` returns the value for the key, or inserts it.",
    "react": "# Hooks\n\n`useEffect` synchronises a component with an external system.",
    "docker": "# Build\n\nPass `--no-cache` to ignore what earlier builds left.",
    "classes": "# Classes\n\nThe method `__init__` runs after an instance is created.",
    "c++": "# Languages\n\nC++ and C# are compiled.",
    "cats": "# 猫\n\n吾輩は猫である。名前はまだ無い。",
    "russian": "# Справка\n\nФункция возвращает значение.",
    "accents": "# Menu\n\nUn café s'il vous plaît.",
    "settings": "# Settings\n\nSet `max\\_depth` to limit how far links are followed.",
}


@pytest.fixture(autouse=True)
def fresh_counts() -> None:
    """PostgreSQL's document counts are cached in the process, and belong to another test's rows."""
    index_for.cache_clear()


@pytest.fixture
def library() -> KnowledgeItem:
    item = source("library", tags=["python", "docs"])
    pages = [page(path, text, title=path.title()) for path, text in LIBRARY.items()]
    store(item, *pages, *(page(f"filler{n}", text, title=f"Filler {n}") for n, text in enumerate(FILLER)))
    return item


def hits(text: str, **narrowed: Any) -> tuple[SearchHit, ...]:
    return search(SearchQuery(text, viewer=OPERATOR, **narrowed)).hits


def found(text: str, **narrowed: Any) -> list[str]:
    return [hit.page_url.rpartition("/")[2] for hit in hits(text, **narrowed)]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("asyncio.run", "asyncio"),
        ("asyncio", "asyncio"),
        ("how do I execute a coroutine?", "asyncio"),
        ("coroutines", "asyncio"),
        ("dict.setdefault", "dict"),
        ("setdefault", "dict"),
        ("useEffect", "react"),
        ("useeffect", "react"),
        ("effect", "react"),
        ("--no-cache", "docker"),
        ("no-cache", "docker"),
        ("cache", "docker"),
        ("__init__", "classes"),
        ("init", "classes"),
        ("C++", "c++"),
        ("C#", "c++"),
        ("猫", "cats"),
        ("名前", "cats"),
        ("吾輩は猫である", "cats"),
        ("функция", "russian"),
        ("cafe", "accents"),
        ("CAFÉ", "accents"),
        ("max_depth", "settings"),
        ("depth", "settings"),
        ("mapping types", "dict"),
    ],
)
def test_the_words_of_documentation_are_found_whole_and_by_part(library: KnowledgeItem, text: str, path: str) -> None:
    assert found(text)[0] == path


def test_a_hit_says_where_it_stands(library: KnowledgeItem) -> None:
    store(
        library, page("anchored", "# Top\n\n## Deep part\n\nzebra", title="Zoo", headings=((2, "Deep part", "deep"),))
    )
    (hit,) = hits("zebra")
    assert (hit.title, hit.heading_path, hit.anchor) == ("Zoo", "Zoo > Top > Deep part", "deep")
    assert hit.url == "https://docs.example.com/anchored#deep"
    assert hit.page_url == "https://docs.example.com/anchored"
    assert hit.source_id == library.source_id
    assert hit.score == 1.0
    assert hit.scores.keyword is not None
    assert hit.scores.keyword > 0
    assert hit.scores.vector is None


def test_hits_come_best_first_and_at_most_as_many_as_asked(library: KnowledgeItem) -> None:
    answer = hits("coroutine task run key", match_count=2)
    assert len(answer) == 2
    assert [hit.score for hit in answer] == sorted((hit.score for hit in answer), reverse=True)


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    item = source()
    store(item, *(page(f"common{n}", "value " * 20, title="x") for n in range(30)))
    store(item, page("rare", "value and quagga and much other text about something else entirely", title="x"))
    assert found("value quagga")[0] == "rare"


def test_all_words_together_beat_one_of_them() -> None:
    item = source()
    store(item, page("both", "green tea leaves", title="x"), page("one", "green paint dries", title="x"))
    store(item, page("other", "black tea pot", title="x"), *(page(f"f{n}", text) for n, text in enumerate(FILLER)))
    assert found("green tea")[0] == "both"


def test_a_word_in_title_or_heading_counts_more_than_in_the_text() -> None:
    item = source()
    store(
        item,
        page("text", "A long text that mentions webhooks once among other things.", title="Other"),
        page("heading", "## Webhooks\n\nA long text that is about something and other things.", title="Other"),
        page("title", "A long text that is about something and other things.", title="Webhooks"),
        *(page(f"f{n}", text) for n, text in enumerate(FILLER)),
    )
    assert found("webhooks") == ["title", "heading", "text"]


@pytest.mark.parametrize(
    "text",
    [
        "a' OR '1'='1", 'title:coroutine', "coroutine NOT task", "NEAR(a b)", "coroutine*", "^coroutine",
        "a AND", "{title body}: x", "a:b:c", "a\\'b", "% _ %s %(x)s", "!coroutine & task | x",
        "x'; DROP TABLE knowledge_chunk; --", "\0coroutine\0", "\ud800 coroutine", "🦜 coroutine", "a", "1",
        "x" * 10_000, "word " * 2_000, "coroutine " * 1_000, "ﷺ", "İstanbul", "ǅ", "１２３", "ا",
        "ก", "किताब", "a.b.c.d.e.f.g.h.i.j.k",
    ],
    ids=lambda text: ascii(text[:20]),
)  # fmt: skip
def test_whatever_is_asked_is_answered_without_an_error(library: KnowledgeItem, text: str) -> None:
    outcome = search(SearchQuery(text, match_count=50, viewer=OPERATOR))
    assert outcome.mode == "keyword"
    if "coroutine" in text and "title:" not in text:
        assert outcome.hits
        assert outcome.hits[0].page_url.endswith("/asyncio")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        (SearchQuery("", viewer=OPERATOR), "query_empty", "query"),
        (SearchQuery(" \n\t", viewer=OPERATOR), "query_empty", "query"),
        (SearchQuery("?!", viewer=OPERATOR), "query_without_words", "query"),
        (SearchQuery("\0", viewer=OPERATOR), "query_without_words", "query"),
        (SearchQuery("\"'((\\<->*", viewer=OPERATOR), "query_without_words", "query"),
        (SearchQuery("x" * 10_001, viewer=OPERATOR), "query_too_long", "query"),
        (SearchQuery("x", match_count=0, viewer=OPERATOR), "query_bad", "match_count"),
        (SearchQuery("x", match_count=51, viewer=OPERATOR), "query_bad", "match_count"),
        (
            SearchQuery("x", mode="psychic", viewer=OPERATOR),  # type: ignore[arg-type]
            "query_bad",
            "mode",
        ),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_with_the_field(query: SearchQuery, code: str, field: str) -> None:
    with pytest.raises(BadQuery) as caught:
        search(query)
    assert (caught.value.code, caught.value.field, caught.value.http_status) == (code, field, 422)


@pytest.mark.parametrize("source_id", ["nobody", "", "\0", "\ud800", "x" * 1_000])
def test_an_unknown_source_is_an_error_and_not_an_empty_answer(library: KnowledgeItem, source_id: str) -> None:
    with pytest.raises(UnknownSource):
        search(SearchQuery("coroutine", source_id=source_id, viewer=OPERATOR))


def test_a_word_that_stands_nowhere_finds_nothing(library: KnowledgeItem) -> None:
    assert hits("quagga") == ()


def test_search_stays_within_the_source_that_is_asked(library: KnowledgeItem) -> None:
    other = source("other")
    store(other, page("elsewhere", "Another coroutine."))
    assert found("coroutine", source_id=other.source_id) == ["elsewhere"]
    assert "elsewhere" not in found("coroutine", source_id=library.source_id)
    assert set(found("coroutine")) == {"elsewhere", "asyncio"}


def test_search_stays_within_the_sources_that_carry_every_tag(library: KnowledgeItem) -> None:
    other = source("other", tags=["python", "été"])
    store(other, page("elsewhere", "Another coroutine."))
    assert found("coroutine", tags=("été",)) == ["elsewhere"]
    assert set(found("coroutine", tags=("python",))) == {"elsewhere", "asyncio"}
    assert found("coroutine", tags=("python", "nothing")) == []


def test_a_deleted_source_is_not_found_from_that_moment(library: KnowledgeItem) -> None:
    other = source("other")
    store(other, page("elsewhere", "Another coroutine."))
    actions.delete_item(other.source_id, viewer=OPERATOR)
    assert set(found("coroutine")) == {"asyncio"}
    with pytest.raises(UnknownSource):
        search(SearchQuery("coroutine", source_id=other.source_id, viewer=OPERATOR))


def test_pages_mode_gives_each_page_once_with_its_best_chunk(library: KnowledgeItem) -> None:
    best, *others = hits("coroutine", return_mode="pages")
    assert best.page_url.endswith("/asyncio")
    assert best.chunk_matches == 2
    assert others == []
    assert best.score == 1.0
    assert 0 < best.average_score <= 1.0


def test_the_snippet_marks_the_words_by_their_place(library: KnowledgeItem) -> None:
    store(library, page("long", "filler words here " * 30 + "the quagga runs with useQuagga " + "and more text " * 10))
    (hit,) = hits("quagga")
    marked = [hit.snippet.text[start:end] for start, end in hit.snippet.highlights]
    assert marked == ["quagga", "useQuagga"]
    assert len(hit.snippet.text) <= 280
    assert hit.snippet.text in hit.content


def test_hybrid_without_vectors_says_that_it_searched_by_keyword(library: KnowledgeItem) -> None:
    assert search(SearchQuery("coroutine", mode="hybrid", viewer=OPERATOR)).mode == "keyword"


def test_an_index_row_without_its_chunk_is_never_a_hit(library: KnowledgeItem) -> None:
    keyword_index().add([IndexEntry(10**12, indexed_text("", "", "quagga"))])
    assert hits("quagga") == ()
    keyword_index().remove([10**12])


def test_adding_an_entry_again_replaces_it(library: KnowledgeItem) -> None:
    chunk = Chunk.objects.filter(content__contains="coroutine").first()
    assert chunk is not None
    keyword_index().add([IndexEntry(chunk.pk, indexed_text("", "", "quagga"))])
    assert [hit.chunk_id for hit in hits("quagga")] == [chunk.pk]
    assert chunk.pk not in [hit.chunk_id for hit in hits("asyncio.run")]


def test_an_error_of_the_index_is_never_an_empty_answer(
    library: KnowledgeItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("index is broken")

    monkeypatch.setattr(type(keyword_index()), "rank", broken)
    with pytest.raises(RuntimeError, match="broken"):
        search(SearchQuery("coroutine", viewer=OPERATOR))
