"""What a request may carry: every field of the contract is taken, and any other is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.knowledge.pages import source

# Every field that a client may send, by endpoint, with a value that is possible.
KNOWN_FIELDS: dict[str, dict[str, Any]] = {
    "/api/knowledge-items/crawl": {
        "url": "http://127.0.0.1:8088/", "knowledge_type": "technical", "tags": ["a"], "update_frequency": 7,
        "max_depth": 2, "max_pages": 5, "include": ["*a*"], "exclude": ["*b*"], "scope": "path",
        "extract_code_examples": True, "render": "http", "respect_robots": True, "headers": {"X-Mine": "1"},
        "private": False,
    },
    "/api/rag/query": {
        "query": "asyncio", "source": None, "match_count": 5, "return_mode": "chunks", "mode": "keyword", "tags": [],
    },
    "/api/knowledge-items/search": {"query": "asyncio", "return_mode": "pages"},
    "/api/rag/code-examples": {
        "query": "asyncio", "source": None, "match_count": 5, "return_mode": "chunks", "mode": "keyword", "tags": [],
        "language": "python",
    },
    "/api/chat/sessions": {"session_id": "one", "title": "Mine"},
    "/api/chat/sessions/one/messages": {"message": "What?", "source_id": None},
    "/api/tokens": {"name": "laptop", "scopes": ["read"], "days": 3},
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("path", KNOWN_FIELDS)
def test_every_field_of_the_contract_is_taken_and_no_other(client: Client, path: str) -> None:
    body = KNOWN_FIELDS[path]
    refused = client.post(path, {**body, "max_page": 5}, content_type="application/json")
    detail = refused.json()["detail"]
    assert (refused.status_code, detail["code"], detail["field"]) == (422, "invalid_request", "max_page")
    assert all(field in detail["error"] for field in body), detail["error"]
    assert client.post(path, body, content_type="application/json").status_code in (200, 201, 202)


@pytest.mark.django_db
def test_a_crawl_with_headers_says_that_they_are_not_sent(client: Client) -> None:
    body = KNOWN_FIELDS["/api/knowledge-items/crawl"]
    told = client.post("/api/knowledge-items/crawl", body, content_type="application/json").json()["message"]
    assert told == "Crawling started. No headers of yours are sent to the site: a crawl asks as anybody would"
    body = {"url": "http://127.0.0.1:8088/other/"}
    told = client.post("/api/knowledge-items/crawl", body, content_type="application/json").json()["message"]
    assert told == "Crawling started"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "known"),
    [
        (
            "/api/documents/upload",
            {"tags": "[]", "knowledge_type": "technical", "extract_code_examples": "true", "private": "false"},
        ),
        ("/api/knowledge-items/import", {}),
    ],
)
def test_a_form_has_no_other_fields_either(client: Client, path: str, known: dict[str, str]) -> None:
    refused = client.post(path, {"file": SimpleUploadedFile("a.md", b"# A\n\nText."), **known, "tag": "x"})
    detail = refused.json()["detail"]
    assert (refused.status_code, detail["field"]) == (422, "tag")
    assert all(field in detail["error"] for field in ("file", *known))
    taken = client.post(path, {"file": SimpleUploadedFile("a.md", b"# A\n\nText."), **known}).json()
    assert taken.get("success") or taken["detail"]["code"] == "import_header"


@pytest.mark.django_db
def test_a_change_of_a_source_has_these_fields(client: Client) -> None:
    path = f"/api/knowledge-items/{source('one').source_id}"
    change = {
        "title": "Mine", "description": "Of them", "knowledge_type": "business", "tags": ["a"], "status": "active",
        "update_frequency": 3, "group_name": "Ours", "private": False,
    }  # fmt: skip
    refused = client.put(path, {**change, "tilte": "x"}, content_type="application/json").json()["detail"]
    assert refused["field"] == "tilte"
    assert "Did you mean title?" in refused["error"]
    assert client.put(path, change, content_type="application/json").status_code == 200
