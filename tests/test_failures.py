"""What nobody foresaw is answered in the API's shape too, and a database that is away with a time to come back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from knowledge.api import items


@pytest.fixture
def answering() -> Client:
    """As a server answers: the error is not raised through the test's client."""
    return Client(raise_request_exception=False)


@pytest.fixture
def impatient() -> Iterator[None]:
    """This connection waits a tenth of a second for a lock, and not twenty."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA busy_timeout=100")
        else:
            cursor.execute("SET lock_timeout = '100ms'")
    yield
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_locked_database_is_a_503_that_says_when_to_come_back(answering: Client, impatient: None) -> None:
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN" if other.vendor == "postgresql" else "BEGIN EXCLUSIVE")
            if other.vendor == "postgresql":
                cursor.execute("LOCK TABLE knowledge_knowledgeitem IN ACCESS EXCLUSIVE MODE")
            refused = answering.post(
                "/api/knowledge-items/crawl", {"url": "http://127.0.0.1:65000/"}, content_type="application/json"
            )
            cursor.execute("ROLLBACK")
    finally:
        other.close()
    assert refused.status_code == 503
    assert int(refused["Retry-After"]) > 0
    assert refused.json()["detail"]["code"] == "database_failed"
    assert "doctor" in refused.json()["detail"]["hint"]


@pytest.mark.django_db
def test_a_fault_of_ours_is_an_error_of_the_api_without_its_text(
    answering: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret of the code")

    monkeypatch.setattr(items, "items_page", broken)
    answer = answering.get("/api/knowledge-items")
    assert answer.status_code == 500
    assert answer.json()["detail"]["code"] == "internal_error"
    assert "secret" not in answer.content.decode()
    assert "a secret of the code" in caplog.text


@pytest.mark.django_db
def test_an_address_that_leads_nowhere_is_told_in_the_shape_of_the_api(answering: Client) -> None:
    for path in ("/api/nowhere", "/api/webhooks/-1/deliveries", "/api/knowledge-items/a%0Ab/c"):
        answer = answering.get(path)
        assert (answer.status_code, answer.json()["detail"]["code"]) == (404, "not_found"), path
    assert answering.get("/nowhere")["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/nowhere", "/crawls", "/docs/nowhere"])
def test_a_browser_that_is_led_nowhere_is_shown_the_dashboard_which_says_so(answering: Client, path: str) -> None:
    answer = answering.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.status_code == 404
    assert answer.content == (settings.DASHBOARD_DIR / "index.html").read_bytes()
    assert "default-src 'self'" in answer["Content-Security-Policy"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/whoami", "/api/health", "/api/progress/a/events"])
@pytest.mark.parametrize("method", ["TRACE", "PATCH", "DELETE", "FOO"])
def test_a_method_that_an_address_does_not_take_is_told_with_those_it_takes(
    answering: Client, path: str, method: str
) -> None:
    answer = answering.generic(method, path)
    detail = answer.json()["detail"]
    assert (answer.status_code, detail["code"]) == (405, "method_not_allowed")
    assert "GET" in answer["Allow"]
    assert answer["Allow"] in detail["hint"]
