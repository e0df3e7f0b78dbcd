"""The knowledge endpoints as clients call them, through the whole application."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client

from knowledge.models import Chunk, Document, KnowledgeItem
from tests.knowledge.pages import page, source, store

pytestmark = pytest.mark.django_db

Queries = Callable[..., AbstractContextManager[Any]]
TEXT = "# Runners\n\nCall `asyncio.run` for a coroutine.\n\n## Tasks\n\nA task wraps a coroutine."


@pytest.fixture
def item() -> KnowledgeItem:
    item = source("docs", tags=["python", "été"], description="About Python")
    headings = ((1, "Runners", "runners"), (2, "Tasks", "tasks"))
    store(item, page("run", TEXT, title="Runners", headings=headings), page("run.html", TEXT, title="Runners"))
    store(item, page("other", "Bread and butter.", title="Food"))
    item.refresh_from_db()
    return item


def get(client: Client, path: str, status: int = 200, **params: Any) -> Any:
    response = client.get(f"/api{path}", params)
    assert response.status_code == status, response.content
    return response.json()


def ask(client: Client, status: int = 200, path: str = "/rag/query", **body: Any) -> Any:
    response = client.post(f"/api{path}", body, content_type="application/json")
    assert response.status_code == status, response.content
    return response.json()


def test_the_list_of_sources_has_the_shape_clients_know(client: Client, item: KnowledgeItem) -> None:
    body = get(client, "/knowledge-items")
    assert {key: body[key] for key in ("total", "page", "per_page", "pages")} == {
        "total": 1, "page": 1, "per_page": 20, "pages": 1,
    }  # fmt: skip
    (listed,) = body["items"]
    assert listed.keys() == {"id", "title", "url", "source_id", "metadata", "created_at", "updated_at"}
    assert listed["id"] == listed["source_id"] == item.source_id
    metadata = listed["metadata"]
    assert metadata["tags"] == ["python", "été"]
    assert (metadata["document_count"], metadata["chunks_count"], metadata["word_count"]) == (2, 3, 17)
    assert (metadata["status"], metadata["source_type"], metadata["knowledge_type"]) == ("active", "url", "technical")
    assert metadata["last_scraped"] is not None


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({}, {"one", "two", "three"}),
        ({"search": "ONE"}, {"one"}),
        ({"search": "100%"}, set()),
        ({"search": "\0"}, set()),
        ({"knowledge_type": "business"}, {"two"}),
        ({"knowledge_type": "poetry"}, set()),
        ({"source_type": "file"}, {"three"}),
        ({"tags": "a"}, {"one", "two"}),
        ({"tags": "a,b"}, {"two"}),
        ({"tags": ["a", "b"]}, {"two"}),
        ({"tags": "été"}, {"three"}),
        ({"tags": "'"}, set()),
        ({"tags": "\0"}, set()),
        ({"page": 2}, set()),
    ],
)
def test_the_list_narrows_by_what_is_asked(client: Client, params: dict[str, Any], names: set[str]) -> None:
    source("one", tags=["a"])
    source("two", tags=["a", "b"], knowledge_type="business")
    source("three", tags=["été"], source_type="file")
    body = get(client, "/knowledge-items", **params)
    assert {listed["title"] for listed in body["items"]} == names
    assert {listed["title"] for listed in get(client, "/knowledge-items/summary", **params)["items"]} == names
    if "page" not in params:
        assert body["total"] == len(names)


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        ("/knowledge-items", {"page": 0}, "page"),
        ("/knowledge-items", {"per_page": 101}, "per_page"),
        ("/knowledge-items", {"per_page": "many"}, "per_page"),
        ("/knowledge-items/summary", {"per_page": 0}, "per_page"),
        ("/knowledge-items/{id}/chunks", {"limit": 101}, "limit"),
        ("/knowledge-items/{id}/chunks", {"offset": -1}, "offset"),
        ("/knowledge-items/{id}/chunks", {"offset": 10**30}, "offset"),
        ("/pages", {}, "source_id"),
        ("/pages", {"source_id": "x", "limit": 0}, "limit"),
        ("/pages/by-url", {}, "url"),
    ],
)
def test_a_limit_that_is_broken_is_named(
    client: Client, item: KnowledgeItem, path: str, params: dict[str, Any], field: str
) -> None:
    detail = get(client, path.format(id=item.source_id), 422, **params)["detail"]
    assert field in detail["field"]
    assert detail["error"]


def grow_to(count: int) -> None:
    there = KnowledgeItem.objects.count()
    KnowledgeItem.objects.bulk_create(
        KnowledgeItem(source_id=f"filler-source-{n:>06}", url=f"https://s{n}.example/", title=f"Filler {n}")
        for n in range(there, count)
    )


def test_lists_take_the_same_queries_for_a_thousand_sources(
    client: Client, django_assert_max_num_queries: Queries
) -> None:
    for n in range(60):
        store(source(f"s{n}"), page("a", f"text {n}"))
    grow_to(1_000)
    for path in ("/knowledge-items?per_page=100", "/knowledge-items/summary?per_page=100", "/rag/sources"):
        with django_assert_max_num_queries(3):
            get(client, path)
    with django_assert_max_num_queries(1):
        metrics = get(client, "/database/metrics")
    assert (metrics["sources_count"], metrics["pages_count"], metrics["chunks_count"]) == (1_000, 60, 60)
    assert metrics["average_pages_per_source"] == 0.06


def test_reading_and_searching_take_few_queries(
    client: Client, item: KnowledgeItem, django_assert_max_num_queries: Queries
) -> None:
    store(item, *(page(f"p{n}", f"zebra {n}", title=f"Page {n}") for n in range(50)))
    with django_assert_max_num_queries(2):
        assert len(get(client, f"/knowledge-items/{item.source_id}/chunks", limit=100)["chunks"]) == 53
    with django_assert_max_num_queries(2):
        assert len(get(client, "/pages", source_id=item.source_id)["pages"]) == 52
    with django_assert_max_num_queries(6):
        assert len(ask(client, query="zebra", match_count=50)["results"]) == 50


def test_metrics_of_an_empty_database_are_zeros(client: Client) -> None:
    metrics = get(client, "/database/metrics")
    assert (metrics["sources_count"], metrics["words_count"], metrics["average_pages_per_source"]) == (0, 0, 0.0)


@pytest.mark.parametrize("path", ["/rag/sources", "/knowledge-items/sources"])
def test_sources_are_listed_for_a_choice(client: Client, item: KnowledgeItem, path: str) -> None:
    body = get(client, path)
    assert (body["success"], body["count"]) == (True, 1)
    (listed,) = body["sources"]
    assert (listed["source_id"], listed["summary"], listed["total_words"]) == (item.source_id, "About Python", 17)


def test_a_source_is_read_changed_and_deleted(client: Client, item: KnowledgeItem) -> None:
    path = f"/api/knowledge-items/{item.source_id}"
    body = {"title": "New", "tags": ["x"], "update_frequency": 1, "status": "error", "group_name": "g"}
    response = client.put(path, body, content_type="application/json")
    assert response.json() == {"success": True, "message": "Source updated.", "source_id": item.source_id}
    read = get(client, f"/knowledge-items/{item.source_id}")
    assert (read["title"], read["metadata"]["tags"], read["metadata"]["description"]) == ("New", ["x"], "About Python")
    deleted = client.delete(path).json()
    assert deleted["success"] is True
    assert get(client, f"/progress/{deleted['progressId']}")["kind"] == "purge"
    assert get(client, "/knowledge-items")["total"] == 0
    for method in (client.get, client.delete):
        detail = method(path).json()["detail"]
        assert (detail["code"], detail["field"]) == ("source_unknown", "source_id")
    assert client.put(path, {}, content_type="application/json").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": None}, "title"),
        ({"knowledge_type": "poetry"}, "knowledge_type"),
        ({"tags": ["x" * 101]}, "tags"),
        ({"tags": "x"}, "tags"),
        ({"status": "asleep"}, "status"),
        ({"update_frequency": -1}, "update_frequency"),
        ({"update_frequency": 10**30}, "update_frequency"),
    ],
)
def test_a_change_that_breaks_a_rule_is_named(
    client: Client, item: KnowledgeItem, body: dict[str, Any], field: str
) -> None:
    response = client.put(f"/api/knowledge-items/{item.source_id}", body, content_type="application/json")
    assert response.status_code == 422
    assert field in response.json()["detail"]["field"]


def test_chunks_are_paged_in_reading_order(client: Client, item: KnowledgeItem) -> None:
    path = f"/knowledge-items/{item.source_id}/chunks"
    first = get(client, path, limit=2)
    rest = get(client, path, limit=2, offset=2)
    assert (first["total"], first["has_more"], rest["has_more"]) == (3, True, False)
    chunks = first["chunks"] + rest["chunks"]
    assert [chunk["section"] for chunk in chunks] == ["Runners", "Runners > Tasks", "Food"]
    assert chunks[1]["url"] == "https://docs.example.com/run#tasks"
    assert chunks[1]["metadata"]["page_id"] == chunks[0]["metadata"]["page_id"]
    assert all(chunk["id"].isdigit() for chunk in chunks)
    assert get(client, path, domain_filter="docs.example.com")["total"] == 3
    assert get(client, path, domain_filter="example.com")["total"] == 3
    assert get(client, path, domain_filter="elsewhere.org")["chunks"] == []


def test_pages_are_listed_without_aliases_and_read_in_full(client: Client, item: KnowledgeItem) -> None:
    body = get(client, "/pages", source_id=item.source_id)
    assert [(listed["section_title"], listed["chunk_count"]) for listed in body["pages"]] == [
        ("Runners", 2),
        ("Food", 1),
    ]
    assert (body["total"], body["source_id"]) == (2, item.source_id)
    assert [
        listed["section_title"] for listed in get(client, "/pages", source_id=item.source_id, section="foo")["pages"]
    ] == ["Food"]
    read = get(client, f"/pages/{body['pages'][0]['id']}")
    assert read["full_content"] == TEXT
    assert (read["word_count"], read["chunk_count"], read["source_id"]) == (14, 2, item.source_id)


@pytest.mark.parametrize(
    "url", ["https://docs.example.com/run", "https://docs.example.com/run#tasks", "https://docs.example.com/run/"]
)
def test_a_page_is_read_by_its_url(client: Client, item: KnowledgeItem, url: str) -> None:
    assert get(client, "/pages/by-url", url=url)["full_content"] == TEXT


def test_an_alias_shows_the_text_of_its_original(client: Client, item: KnowledgeItem) -> None:
    read = get(client, "/pages/by-url", url="https://docs.example.com/run.html")
    assert (read["full_content"], read["url"]) == (TEXT, "https://docs.example.com/run.html")


@pytest.mark.parametrize(
    "page_id", ["0", "-1", "x", "99999999999999999999999", str(2**63 - 1), str(2**63), "1.5", "%00", "٣"]
)
def test_an_unknown_page_is_404(client: Client, item: KnowledgeItem, page_id: str) -> None:
    assert get(client, f"/pages/{page_id}", 404)["detail"]["code"] == "page_unknown"


def test_an_unknown_url_or_source_is_404(client: Client, item: KnowledgeItem) -> None:
    for url in ("https://nowhere.example/", "\0", "x"):
        assert get(client, "/pages/by-url", 404, url=url)["detail"]["field"] == "url"
    for source_id in ("nobody", "\0", "%00"):
        assert get(client, "/pages", 404, source_id=source_id)["detail"]["code"] == "source_unknown"
        assert get(client, "/knowledge-items/nobody/chunks", 404)["detail"]["code"] == "source_unknown"


@pytest.mark.parametrize("path", ["/rag/query", "/knowledge-items/search"])
def test_search_answers_in_the_shape_clients_know(client: Client, item: KnowledgeItem, path: str) -> None:
    body = ask(client, path=path, query="asyncio.run", source=item.source_id, match_count=1)
    (hit,) = body.pop("results")
    assert body.pop("took_ms") >= 0
    assert body == {
        "success": True, "query": "asyncio.run", "source": item.source_id, "match_count": 1, "total_found": 1,
        "search_mode": "keyword", "reranking_applied": False, "notice": "", "weak": False, "return_mode": "chunks",
    }  # fmt: skip
    assert hit["content"] == "Call `asyncio.run` for a coroutine."
    assert (hit["url"], hit["title"], hit["heading_path"]) == (
        "https://docs.example.com/run#runners",
        "Runners",
        "Runners",
    )
    assert hit["similarity_score"] == 1.0
    assert hit["scores"]["keyword"] > 0
    assert hit["scores"]["vector"] is hit["scores"]["rerank"] is None
    metadata = hit["metadata"]
    assert [metadata["snippet"][start:end] for start, end in metadata["highlights"]] == ["asyncio.run"]
    assert Chunk.objects.get(pk=int(hit["id"])).document_id == int(metadata["page_id"])


def test_search_by_page_names_the_page(client: Client, item: KnowledgeItem) -> None:
    (hit,) = ask(client, query="coroutine", return_mode="pages")["results"]
    document = Document.objects.get(url="https://docs.example.com/run")
    assert hit["id"] == hit["page_id"] == str(document.pk)
    assert (hit["section_title"], hit["word_count"], hit["chunk_matches"]) == ("Runners", 14, 2)
    assert hit["aggregate_similarity"] == 1.0
    assert hit["source_id"] == item.source_id


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 422, "query"),
        ({"query": ""}, 422, "query"),
        ({"query": "  "}, 422, "query"),
        ({"query": None}, 422, "query"),
        ({"query": "x" * 10_001}, 422, "query"),
        ({"query": "x", "match_count": 0}, 422, "match_count"),
        ({"query": "x", "match_count": 51}, 422, "match_count"),
        ({"query": "x", "return_mode": "books"}, 422, "return_mode"),
        ({"query": "x", "mode": "psychic"}, 422, "mode"),
        ({"query": "x", "source": "nobody"}, 404, "source"),
        ({"query": "x", "tags": [""]}, 422, "tags"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_with_the_field(
    client: Client, item: KnowledgeItem, body: dict[str, Any], status: int, field: str
) -> None:
    detail = ask(client, status, **body)["detail"]
    assert field in detail["field"]
    assert detail["code"]


@pytest.mark.parametrize("query", ["\0", "\ud800 coroutine", "coroutine\0", '"coroutine', "x" * 10_000, "猫", "🦜"])
def test_no_question_is_a_server_error(client: Client, item: KnowledgeItem, query: str) -> None:
    response = client.post("/api/rag/query", {"query": query}, content_type="application/json")
    assert response.status_code in (200, 422)
    if "coroutine" in query:
        assert response.json()["total_found"] == 1
