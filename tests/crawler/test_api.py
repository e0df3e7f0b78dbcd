"""The crawl endpoints: what they accept, and the clear answer to what they cannot."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

from crawler.models import CrawlJob, CrawlUrl
from knowledge.models import KnowledgeItem
from progress import tracker
from progress.models import Progress
from progress.status import Status

URL = "http://127.0.0.1:9/docs/"


def start(client: Client, **body: Any) -> Any:
    headers = body.pop("headers", {})
    return client.post("/api/knowledge-items/crawl", body, content_type="application/json", headers=headers)


@pytest.mark.django_db
def test_a_crawl_is_accepted_with_its_rows_before_any_worker_hears_of_it(client: Client) -> None:
    response = start(client, url=URL, tags=["docs"])
    assert response.status_code == 202
    body = response.json()
    assert body["success"] is True
    job = CrawlJob.objects.get(progress=body["progressId"])
    assert job.item.source_id == body["sourceId"]
    assert job.item.tags == ["docs"]
    assert list(job.urls.values_list("url", "state", "depth")) == [(URL, "queued", 0)]
    assert job.progress.total_pages == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "url_missing"),
        ("   ", "url_missing"),
        ("ftp://example.com/", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("raw:<html>", "url_scheme"),
        ("http://", "url_host"),
        ("http://user:pw@example.com/", "url_userinfo"),
        ("http://10.0.0.1/", "address_forbidden"),
        ("http://169.254.169.254/latest/meta-data/", "address_forbidden"),
        ("http://[fd00::1]/", "address_forbidden"),
        ("http://does-not-exist.invalid/", "dns_failed"),
    ],
)
def test_an_address_that_cannot_be_crawled_is_refused_by_name(client: Client, url: str, code: str) -> None:
    response = start(client, url=url)
    assert response.status_code == 422, response.content
    detail = response.json()["detail"]
    assert detail["code"] in (code, "url_invalid"), detail
    assert detail["error"]
    assert detail["field"] == "url"
    assert not CrawlJob.objects.exists()


@pytest.mark.django_db
def test_our_own_ports_are_closed_to_crawls(client: Client) -> None:
    response = start(client, url=f"http://127.0.0.1:{django_settings.PORT}/")
    assert response.status_code == 422
    assert response.json()["detail"]["code"] == "address_forbidden"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [("max_depth", 0), ("max_depth", 6), ("max_pages", 0), ("tags", "x"), ("scope", "all"), ("render", "magic"),
     ("url", 7), ("include", [""]), ("update_frequency", -1)],
)  # fmt: skip
def test_an_option_out_of_range_is_refused_by_name(client: Client, field: str, value: Any) -> None:
    response = start(client, **{"url": URL, field: value})
    assert response.status_code == 422
    detail = response.json()["detail"]
    assert detail["field"] is not None
    assert detail["field"].startswith(field)
    assert detail["code"] == "invalid_request"


@pytest.mark.django_db
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"url": "\\ud800"}', b"\xff\xfe"])
def test_a_body_that_is_no_request_is_refused(client: Client, content: bytes) -> None:
    response = client.post("/api/knowledge-items/crawl", content, content_type="application/json")
    assert response.status_code in (400, 422), response.content
    assert response.json()["detail"]["error"]


@pytest.mark.django_db
def test_the_same_url_again_follows_the_crawl_that_runs(client: Client) -> None:
    first = start(client, url=URL).json()
    second = start(client, url=URL + "#part").json()
    assert second["progressId"] == first["progressId"]
    assert CrawlJob.objects.count() == 1


@pytest.mark.django_db
def test_the_same_url_with_other_options_is_a_conflict(client: Client) -> None:
    first = start(client, url=URL).json()
    response = start(client, url=URL, max_depth=4)
    assert response.status_code == 409
    assert first["progressId"] in response.json()["detail"]["error"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "other",
    [
        {"render": "http"},
        {"extract_code_examples": False},
        {"respect_robots": False},
        {"max_pages": 7},
        {"include": ["*/a/*"]},
        {"scope": "host"},
    ],
)
def test_a_crawl_is_not_joined_by_one_that_would_bring_other_pages(client: Client, other: dict[str, Any]) -> None:
    first = start(client, url=URL).json()
    refused = start(client, url=URL, **other)
    assert refused.status_code == 409
    assert ("scope" if "include" in other else next(iter(other))) in refused.json()["detail"]["error"]
    client.post(f"/api/knowledge-items/stop/{first['progressId']}")
    begun = start(client, url=URL, **other).json()
    assert begun["progressId"] != first["progressId"]
    assert start(client, url=URL, **other).json()["progressId"] == begun["progressId"]


@pytest.mark.django_db
def test_whoever_joins_a_crawl_is_told_how_it_stands(client: Client) -> None:
    first = start(client, url=URL).json()
    assert first["message"] == "Crawling started"
    assert start(client, url=URL).json()["message"] == "This crawl already waits for its turn"
    tracker.update(first["progressId"], status=Status.CRAWLING)
    assert start(client, url=URL).json()["message"] == "This crawl is already running"
    client.post(f"/api/knowledge-items/pause/{first['progressId']}")
    assert start(client, url=URL).json()["message"] == "This crawl is paused"


@pytest.mark.django_db
def test_a_known_source_keeps_what_a_new_crawl_does_not_say(client: Client) -> None:
    said = {"tags": ["docs"], "update_frequency": 30, "knowledge_type": "business"}
    first = start(client, url=URL, **said).json()
    client.post(f"/api/knowledge-items/stop/{first['progressId']}")
    assert start(client, url=URL).status_code == 202
    kept = KnowledgeItem.objects.get(source_id=first["sourceId"])
    assert (kept.tags, kept.update_frequency, kept.knowledge_type) == (["docs"], 30, "business")
    assert start(client, url=URL, tags=[], update_frequency=7).status_code == 202
    changed = KnowledgeItem.objects.get(source_id=first["sourceId"])
    assert (changed.tags, changed.update_frequency, changed.knowledge_type) == ([], 7, "business")


@pytest.mark.django_db
def test_two_paths_of_one_host_are_two_sources(client: Client) -> None:
    start(client, url="http://127.0.0.1:9/one/")
    start(client, url="http://127.0.0.1:9/two/")
    assert KnowledgeItem.objects.count() == 2


@pytest.mark.django_db
def test_an_idempotency_key_starts_one_crawl(client: Client) -> None:
    first = start(client, url=URL, headers={"Idempotency-Key": "k1"}).json()
    tracker.complete(first["progressId"])
    again = start(client, url=URL, headers={"Idempotency-Key": "k1"}).json()
    assert again["progressId"] == first["progressId"]
    assert again["message"].endswith("same Idempotency-Key, and its crawl is completed")
    other = start(client, url=URL, headers={"Idempotency-Key": "k2"}).json()
    assert other["progressId"] != first["progressId"]


@pytest.mark.django_db
@pytest.mark.parametrize("other", [{"url": "http://127.0.0.1:9/other/"}, {"max_depth": 4}, {"tags": ["a"]}])
def test_an_idempotency_key_is_not_used_for_another_request(client: Client, other: dict[str, Any]) -> None:
    key = {"Idempotency-Key": "k1"}
    first = start(client, url=URL, headers=key).json()
    tracker.complete(first["progressId"])
    refused = start(client, **{"url": URL, **other}, headers=key)
    assert refused.status_code == 422
    detail = refused.json()["detail"]
    assert (detail["code"], detail["field"]) == ("idempotency_key_reused", "Idempotency-Key")
    assert URL in detail["error"]
    assert "new key" in detail["hint"]
    assert CrawlJob.objects.count() == 1
    spelt = URL.replace("127.0.0.1", "127.1")
    assert start(client, url=spelt, headers=key).json()["progressId"] == first["progressId"]
    CrawlJob.objects.update(request_hash="")  # of the version before: only its address is known
    assert start(client, **{"url": URL, **other}, headers=key).status_code == (422 if "url" in other else 202)


@pytest.mark.django_db(transaction=True)
def test_fifty_requests_at_once_start_one_crawl() -> None:
    barrier = threading.Barrier(10)
    answers: list[tuple[int, Any]] = []

    def post() -> None:
        barrier.wait()
        for _ in range(5):
            response = start(Client(), url=URL)
            answers.append((response.status_code, response.json()))
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers] == [202] * 50
    assert len({body["progressId"] for _, body in answers}) == 1
    assert CrawlJob.objects.count() == 1
    assert CrawlUrl.objects.count() == 1


@pytest.mark.django_db
def test_stopping_ends_the_crawl_at_once_and_only_once(client: Client) -> None:
    progress_id = start(client, url=URL).json()["progressId"]
    response = client.post(f"/api/knowledge-items/stop/{progress_id}")
    assert response.json() == {"success": True, "message": "Crawl stopped", "progressId": progress_id}
    row = Progress.objects.get(pk=progress_id)
    assert (row.status, row.total_pages, row.skipped_pages) == ("cancelled", 0, 1)
    again = client.post(f"/api/knowledge-items/stop/{progress_id}")
    assert again.status_code == 409
    assert again.json()["detail"]["code"] == "crawl_ended"


@pytest.mark.django_db
@pytest.mark.parametrize("verb", ["stop", "pause", "resume", "retry-failed"])
@pytest.mark.parametrize("progress_id", ["unknown", "a%00b", "..%2f..", "%F0%9F%A6%93", "x" * 3000])
def test_an_unknown_crawl_is_a_404(client: Client, verb: str, progress_id: str) -> None:
    response = client.post(f"/api/knowledge-items/{verb}/{progress_id}")
    assert response.status_code == 404
    assert response.json()["detail"]["code"] == "crawl_unknown"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "lists"),
    [
        ("post", "/api/knowledge-items/stop/nope", "GET /api/progress/"),
        ("post", "/api/knowledge-items/nope/refresh", "GET /api/knowledge-items/sources"),
        ("get", "/api/progress/nope", "GET /api/progress/"),
        ("get", "/api/documents/uploads/nope/files", "GET /api/progress/"),
    ],
)
def test_who_asks_for_what_is_unknown_is_told_where_the_known_is(
    client: Client, method: str, path: str, lists: str
) -> None:
    response = getattr(client, method)(path)
    assert response.status_code == 404
    assert response.json()["detail"]["hint"].startswith(lists)


@pytest.mark.django_db
def test_pause_and_resume_return_to_the_stage(client: Client) -> None:
    progress_id = start(client, url=URL).json()["progressId"]
    assert client.post(f"/api/knowledge-items/pause/{progress_id}").status_code == 200
    assert client.post(f"/api/knowledge-items/pause/{progress_id}").status_code == 409
    assert client.get(f"/api/progress/{progress_id}").json()["status"] == "paused"
    assert client.post(f"/api/knowledge-items/resume/{progress_id}").status_code == 200
    assert client.post(f"/api/knowledge-items/resume/{progress_id}").status_code == 409
    assert client.get(f"/api/progress/{progress_id}").json()["status"] == "queued"


@pytest.mark.django_db
def test_progress_is_read_over_http_with_an_etag(client: Client) -> None:
    progress_id = start(client, url=URL).json()["progressId"]
    response = client.get(f"/api/progress/{progress_id}")
    assert response.json()["progressId"] == progress_id
    unchanged = client.get(f"/api/progress/{progress_id}", headers={"If-None-Match": response["ETag"]})
    assert unchanged.status_code == 304
    active = client.get("/api/progress/").json()
    assert [row["progressId"] for row in active["operations"]] == [progress_id]
    tracker.complete(progress_id)
    assert client.get("/api/progress/").json()["operations"] == []
    events = client.get(f"/api/progress/{progress_id}?since=1").json()["events"]
    assert events[-1]["type"] == "crawl_completed"
    assert client.get("/api/progress/nobody").status_code == 404


@pytest.mark.django_db
def test_every_url_of_a_crawl_is_listed_with_its_state(client: Client) -> None:
    progress_id = start(client, url=URL).json()["progressId"]
    body = client.get(f"/api/crawls/{progress_id}/pages").json()
    assert body["total"] == 1
    assert body["counts"] == {"queued": 1, "leased": 0, "done": 0, "failed": 0, "skipped": 0}
    assert body["pages"][0]["url"] == URL
    assert client.get(f"/api/crawls/{progress_id}/pages?state=done").json()["total"] == 0
    assert client.get(f"/api/crawls/{progress_id}/pages?state=lost").status_code == 422
    assert client.get("/api/crawls/nobody/pages").status_code == 404


@pytest.mark.django_db
def test_a_page_of_another_site_may_not_write(client: Client) -> None:
    response = start(client, url=URL, headers={"Origin": "https://evil.example"})
    assert response.status_code == 403
    assert response.json()["detail"]["code"] == "origin_forbidden"
    assert start(client, url=URL, headers={"Origin": "http://testserver"}).status_code == 202


@pytest.mark.django_db
@pytest.mark.parametrize("origin", ["http://[", "null", "x", "http://", "file://"])
def test_an_origin_that_is_none_is_refused(client: Client, origin: str) -> None:
    assert start(client, url=URL, headers={"Origin": origin}).status_code == 403


@pytest.mark.django_db
def test_a_nul_is_no_reason_to_fail(client: Client) -> None:
    assert client.post("/api/knowledge-items/%00/refresh").status_code == 404
    for field in ("include", "exclude"):
        assert start(client, url=URL, **{field: ["a\0b"]}).status_code == 422
    assert start(client, url=URL, tags=["a\0b"], headers={"Idempotency-Key": "k"}).status_code in (202, 422)
