"""What one account may ask for and take, and what happens when the disk is full."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from limits import RateLimitItemPerMinute

from archon import limits, tokens
from archon.auth import refuse
from archon.scopes import Scope
from crawler import actions, quota
from crawler.errors import TooMuch
from crawler.tasks import sweep
from progress import tracker
from progress.models import Progress
from tests.crawler.jobs import job_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Any:
    return get_user_model().objects.create_user("alice")


@pytest.fixture(autouse=True)
def own_counter() -> Any:
    limits.counter.cache_clear()
    yield
    limits.counter.cache_clear()


def test_who_asks_too_often_is_told_when_to_come_back(client: Client, settings: Any, alice: Any) -> None:
    settings.LOCAL_MODE, settings.REQUESTS_PER_MINUTE = False, 3
    client.force_login(alice)
    answers = [client.get("/api/whoami") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert answers[-1].json()["detail"]["code"] == "too_many_requests"
    assert client.get("/health").status_code == 200
    client.force_login(get_user_model().objects.create_user("bob"))
    assert client.get("/api/whoami").status_code == 200


async def test_an_assistant_that_calls_too_often_is_told_when_to_come_back() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await refuse(send, 429, "Too many calls came within a minute.", "Come back in 7 s.", wait=7)
    assert sent[0]["status"] == 429
    assert dict(sent[0]["headers"])[b"retry-after"] == b"7"


def test_answers_beyond_what_one_process_writes_are_refused_until_later(client: Client, settings: Any) -> None:
    chat = client.post("/api/chat/sessions", {}, content_type="application/json").json()["session_id"]
    settings.CHAT_ANSWERS_AT_ONCE = 0
    refused = client.post(f"/api/chat/sessions/{chat}/messages", {"message": "Why?"}, content_type="application/json")
    assert (refused.status_code, refused.json()["detail"]["code"]) == (503, "chat_overloaded")
    assert int(refused["Retry-After"]) > 0


def test_a_refused_crawl_says_when_to_come_back(client: Client, settings: Any, alice: Any) -> None:
    job_of(owner_id=alice.pk)
    settings.LOCAL_MODE, settings.CRAWLS_WAITING = False, 1
    headers = {"Authorization": f"Bearer {tokens.issue(alice, name='test', scopes=tuple(Scope), days=None).text}"}
    body = {"url": "http://93.184.216.34/docs/"}
    refused = client.post("/api/knowledge-items/crawl", body, content_type="application/json", headers=headers)
    assert (refused.status_code, refused.json()["detail"]["code"]) == (429, "too_many_crawls")
    assert int(refused["Retry-After"]) > 0


def test_without_redis_every_process_counts_for_itself() -> None:
    counter = limits.Counter("redis://127.0.0.1:1/0")
    assert [bool(counter.wait("key", RateLimitItemPerMinute(2))) for _ in range(3)] == [False, False, True]


def test_an_account_has_so_many_crawls_in_line(settings: Any, alice: Any) -> None:
    settings.CRAWLS_WAITING = 1
    job = job_of(owner_id=alice.pk)
    with pytest.raises(TooMuch, match="1 crawls of this account") as refused:
        quota.check(alice.pk)
    assert refused.value.http_status == 429
    quota.check(None)
    tracker.complete(job.progress_id)
    quota.check(alice.pk)


def test_an_account_has_so_many_pages_a_day(settings: Any, alice: Any) -> None:
    settings.PAGES_PER_DAY = 10
    job = job_of(owner_id=alice.pk)
    tracker.update(job.progress_id, add={"processed_pages": 10})
    tracker.complete(job.progress_id)
    with pytest.raises(TooMuch, match="10 pages within a day"):
        quota.check(alice.pk)
    Progress.objects.update(start_time="2020-01-01T00:00:00Z")
    quota.check(alice.pk)


def test_a_full_disk_starts_no_crawl_and_pauses_those_that_run(client: Client, monkeypatch: Any) -> None:
    job = job_of()
    monkeypatch.setattr(quota, "free_megabytes", lambda: 5)
    sweep()
    row = Progress.objects.get(pk=job.progress_id)
    assert row.status == "paused"
    assert "only 5 MB are free" in row.log
    refused = client.post(
        "/api/knowledge-items/crawl", {"url": "http://127.0.0.1:8088/"}, content_type="application/json"
    )
    assert refused.status_code == 507
    assert refused.json()["detail"]["code"] == "disk_full"
    assert int(refused["Retry-After"]) > 0
    monkeypatch.setattr(quota, "free_megabytes", lambda: 5_000)
    actions.resume(job.progress_id)
    sweep()
    assert Progress.objects.get(pk=job.progress_id).status != "paused"
