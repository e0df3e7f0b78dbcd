"""What one account may ask for and take, and what happens when the disk is full."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from limits import RateLimitItemPerMinute

from archon import limits, tokens
from archon.auth import refuse
from archon.scopes import Scope
from crawler import actions, quota, slice
from crawler.errors import TooMuch
from crawler.models import CrawlJob, CrawlUrl
from crawler.tasks import sweep
from knowledge.models import Document, KnowledgeItem
from progress import tracker, usage
from progress.models import Progress, Usage
from progress.viewer import OPERATOR
from tests.crawler.jobs import job_of
from tests.site import LocalSite, docs_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Any:
    return get_user_model().objects.create_user("alice")


@pytest.fixture
def bob() -> Any:
    return get_user_model().objects.create_user("bob")


def bearer(user: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.issue(user, name='test', scopes=tuple(Scope), days=None).text}"}


def take(user: Any, kind: usage.Kind, amount: int, *, hours: float = 0) -> Usage:
    return Usage.objects.create(owner=user, kind=kind, amount=amount, at=timezone.now() - timedelta(hours=hours))


@pytest.fixture(autouse=True)
def own_counter() -> Any:
    limits.counter.cache_clear()
    yield
    limits.counter.cache_clear()


def test_who_asks_too_often_is_told_when_to_come_back(client: Client, settings: Any, alice: Any, bob: Any) -> None:
    settings.LOCAL_MODE, settings.REQUESTS_PER_MINUTE = False, 3
    client.force_login(alice)
    answers = [client.get("/api/whoami") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert answers[-1].json()["detail"]["code"] == "too_many_requests"
    assert client.get("/health").status_code == 200
    client.force_login(bob)
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
    body = {"url": "http://93.184.216.34/docs/"}
    refused = client.post("/api/knowledge-items/crawl", body, content_type="application/json", headers=bearer(alice))
    assert (refused.status_code, refused.json()["detail"]["code"]) == (429, "too_many_crawls")
    assert int(refused["Retry-After"]) > 0


def test_without_redis_every_process_counts_for_itself() -> None:
    counter = limits.Counter("redis://127.0.0.1:1/0")
    assert [bool(counter.wait("key", RateLimitItemPerMinute(2))) for _ in range(3)] == [False, False, True]


def test_an_account_has_so_many_crawls_in_line(settings: Any, alice: Any, bob: Any) -> None:
    settings.CRAWLS_WAITING = 1
    job = job_of(owner_id=alice.pk)
    with pytest.raises(TooMuch, match="Crawls of this account that run or wait already: 1") as refused:
        quota.check(alice.pk)
    assert refused.value.http_status == 429
    quota.check(None)
    quota.check(bob.pk)
    tracker.complete(job.progress_id)
    quota.check(alice.pk)


def test_all_accounts_together_have_so_many_crawls_in_line(settings: Any, alice: Any, bob: Any) -> None:
    settings.CRAWLS_WAITING_IN_ALL = 1
    job = job_of(owner_id=alice.pk)
    with pytest.raises(TooMuch, match=r"^Crawls that run") as refused:
        quota.check(bob.pk)
    assert "ARCHON_CRAWLS_WAITING_IN_ALL" in refused.value.hint
    tracker.complete(job.progress_id)
    quota.check(bob.pk)


@pytest.mark.parametrize(
    ("kind", "unit", "each", "code"),
    [
        (usage.Kind.PAGES, 1, "PAGES_PER_DAY", "pages_per_day"),
        (usage.Kind.BYTES, 2**20, "MEGABYTES_PER_DAY", "bytes_per_day"),
    ],
)
def test_who_took_its_share_of_the_day_is_told_when_there_is_room(
    kind: usage.Kind, unit: int, each: str, code: str, settings: Any, alice: Any, bob: Any
) -> None:
    setattr(settings, each, 10)
    hours_ago = take(alice, kind, 4 * unit, hours=20), take(alice, kind, 6 * unit, hours=5)
    with pytest.raises(TooMuch, match="This account took 10 ") as refused:
        quota.check(alice.pk)
    assert f"ARCHON_{each}." in refused.value.hint
    assert (refused.value.code, refused.value.http_status) == (code, 429)
    assert refused.value.retry_after == pytest.approx(4 * 3600, abs=60)  # when the older is a day old
    quota.check(bob.pk)
    quota.check(None)
    setattr(settings, each, 5)
    with pytest.raises(TooMuch) as refused:
        quota.check(alice.pk)
    assert refused.value.retry_after == pytest.approx(19 * 3600, abs=60)  # the later one alone is too much
    setattr(settings, f"{each}_IN_ALL", 10)
    with pytest.raises(TooMuch, match=r"^All accounts together took 10 "):
        quota.check(bob.pk)
    setattr(settings, f"{each}_IN_ALL", 0)
    Usage.objects.filter(pk__in=[one.pk for one in hours_ago]).update(at=timezone.now() - timedelta(hours=25))
    quota.check(alice.pk)
    usage.trim()
    assert not Usage.objects.exists()


def test_a_crawl_counts_what_it_takes_and_is_paused_beyond_its_share(settings: Any, alice: Any, bob: Any) -> None:
    settings.PAGES_PER_DAY = 10
    job, other = job_of(owner_id=alice.pk), job_of("http://127.0.0.1:9/other/", owner_id=bob.pk)
    sweep()
    assert not Progress.objects.filter(status="paused").exists()
    take(alice, usage.Kind.PAGES, 10)
    sweep()
    row = Progress.objects.get(pk=job.progress_id)
    assert row.status == "paused"
    assert "10 pages within 24 hours" in row.log
    assert Progress.objects.get(pk=other.progress_id).status != "paused"
    with pytest.raises(TooMuch, match="10 pages within 24 hours"):
        actions.resume(job.progress_id, viewer=OPERATOR)
    Usage.objects.update(at=timezone.now() - timedelta(hours=25))
    actions.resume(job.progress_id, viewer=OPERATOR)
    sweep()
    assert Progress.objects.get(pk=job.progress_id).status != "paused"


@pytest.mark.django_db(transaction=True)
def test_the_pages_and_bytes_of_a_crawl_are_counted_for_who_started_it(alice: Any) -> None:
    with LocalSite(docs_site(4)) as site:
        job = job_of(f"{site.url}/docs/", owner_id=alice.pk)
        while slice.run(job):
            pass
    urls = CrawlUrl.objects.filter(job=job, state=CrawlUrl.State.DONE)
    taken = {kind: sum(one.amount for one in Usage.objects.filter(owner=alice, kind=kind)) for kind in usage.Kind}
    assert taken == {
        usage.Kind.PAGES: Progress.objects.get(pk=job.progress_id).processed_pages,
        usage.Kind.BYTES: sum(size or 0 for size in urls.values_list("size", flat=True)),
        usage.Kind.QUESTIONS: 0,
    }
    assert taken[usage.Kind.PAGES] >= 4


def test_uploads_count_and_are_refused_beyond_the_bytes_of_the_day(
    client: Client, settings: Any, alice: Any, bob: Any, tmp_path: Any
) -> None:
    settings.LOCAL_MODE, settings.MEGABYTES_PER_DAY, settings.DATA_DIR = False, 1, tmp_path

    def upload(user: Any) -> Any:
        file = SimpleUploadedFile("notes.txt", b"words and more words\n" * 60_000)
        return client.post("/api/documents/upload", {"file": file}, headers=bearer(user))

    assert upload(alice).status_code == 200
    assert Usage.objects.get(kind=usage.Kind.BYTES).amount == 21 * 60_000
    refused = upload(alice)
    assert (refused.status_code, refused.json()["detail"]["code"]) == (429, "bytes_per_day")
    assert int(refused["Retry-After"]) == pytest.approx(86_400, abs=120)
    exported = SimpleUploadedFile("source.jsonl", b"{}")
    imported = client.post("/api/knowledge-items/import", {"file": exported}, headers=bearer(alice))
    assert imported.json()["detail"]["code"] == "bytes_per_day"
    assert upload(bob).status_code == 200


def kept_by(user: Any, chars: int, *, url: str) -> KnowledgeItem:
    item = KnowledgeItem.objects.create(source_id=f"{user.pk:016}{chars:016}", title="kept", url=url, owner=user)
    now = timezone.now()
    text = {"content_hash": "a" * 32, "char_count": chars, "fetched_at": now, "first_seen_at": now, "changed_at": now}
    Document.objects.create(item=item, url=url, url_hash="b" * 32, **text)
    return item


def test_sources_of_an_account_may_keep_so_much(
    client: Client, settings: Any, alice: Any, bob: Any, tmp_path: Any
) -> None:
    job = job_of("http://127.0.0.1:9/alice/", owner_id=alice.pk)
    other = job_of("http://127.0.0.1:9/bob/", owner_id=bob.pk)
    settings.LOCAL_MODE, settings.STORED_MEGABYTES, settings.DATA_DIR = False, 2, tmp_path
    kept_by(alice, 2**21 - 1, url="http://127.0.0.1:9/kept/")
    quota.check(alice.pk)
    one_more = kept_by(alice, 1, url="http://127.0.0.1:9/one/")

    sweep()
    row = Progress.objects.get(pk=job.progress_id)
    assert row.status == "paused"
    assert "keep 2 MiB of text; 2 are allowed. Delete a source." in row.log
    assert Progress.objects.get(pk=other.progress_id).status != "paused"

    def submit(user: Any) -> Any:
        body = {"url": "http://8.8.8.8/next/"}  # a server refuses our own machine; this is refused before it is asked
        return client.post("/api/knowledge-items/crawl", body, content_type="application/json", headers=bearer(user))

    file = SimpleUploadedFile("notes.txt", b"words")
    uploaded = client.post("/api/documents/upload", {"file": file}, headers=bearer(alice))
    for refused in (submit(alice), uploaded):
        assert (refused.status_code, refused.json()["detail"]["code"]) == (429, "stored_bytes")
        assert "ARCHON_STORED_MEGABYTES" in refused.json()["detail"]["hint"]
        assert int(refused["Retry-After"]) > 0
    quota.check(bob.pk)
    quota.check(None)
    with pytest.raises(TooMuch, match="keep 2 MiB"):
        actions.resume(job.progress_id, viewer=OPERATOR)

    assert client.delete(f"/api/knowledge-items/{one_more.source_id}", headers=bearer(alice)).status_code == 200
    actions.resume(job.progress_id, viewer=OPERATOR)
    sweep()
    assert Progress.objects.get(pk=job.progress_id).status != "paused"
    settings.STORED_MEGABYTES = 0
    quota.check(alice.pk)


def test_what_an_account_keeps_is_summed_once_for_all_its_crawls(settings: Any, alice: Any, bob: Any) -> None:
    for owner in (alice, alice, alice, bob):
        job_of(f"http://127.0.0.1:9/{owner.username}/{CrawlJob.objects.count()}/", owner_id=owner.pk)
    settings.LOCAL_MODE, settings.STORED_MEGABYTES = False, 2
    with CaptureQueriesContext(connection) as asked:
        quota.pause_what_has_no_room()
    assert sum("SUM(" in query["sql"] and "char_count" in query["sql"] for query in asked) == 2


def test_a_retry_of_failed_pages_is_a_crawl_that_counts(client: Client, settings: Any, alice: Any) -> None:
    job = job_of(owner_id=alice.pk)
    settings.LOCAL_MODE, settings.PAGES_PER_DAY = False, 10
    KnowledgeItem.objects.filter(pk=job.item_id).update(owner=alice)
    CrawlUrl.objects.filter(job=job).update(state=CrawlUrl.State.FAILED)
    tracker.fail(job.progress_id, {"code": "timeout", "message": "It was slow.", "hint": ""})
    take(alice, usage.Kind.PAGES, 10)

    def retry() -> Any:
        return client.post(f"/api/knowledge-items/retry-failed/{job.progress_id}", headers=bearer(alice))

    refused = retry()
    assert (refused.status_code, refused.json()["detail"]["code"]) == (429, "pages_per_day")
    assert int(refused["Retry-After"]) == pytest.approx(86_400, abs=120)
    assert Progress.objects.count() == 1
    Usage.objects.all().delete()
    assert retry().status_code in (200, 202)


def test_questions_of_an_hour_are_limited_also_when_their_chats_are_deleted(
    client: Client, settings: Any, alice: Any, bob: Any
) -> None:
    settings.LOCAL_MODE, settings.QUESTIONS_PER_HOUR = False, 1

    def ask(user: Any) -> Any:
        return client.post(
            "/api/chat/sessions/one/messages",
            {"message": "Why?"},
            content_type="application/json",
            headers=bearer(user),
        )

    assert ask(alice).status_code == 202
    client.delete("/api/chat/sessions/one", headers=bearer(alice))
    refused = ask(alice)
    assert (refused.status_code, refused.json()["detail"]["code"]) == (429, "questions_per_hour")
    assert int(refused["Retry-After"]) == pytest.approx(3_600, abs=120)
    assert ask(bob).status_code == 202
    settings.QUESTIONS_PER_HOUR, settings.QUESTIONS_PER_HOUR_IN_ALL = 0, 2
    assert "All accounts together" in ask(alice).json()["detail"]["error"]


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
    actions.resume(job.progress_id, viewer=OPERATOR)
    sweep()
    assert Progress.objects.get(pk=job.progress_id).status != "paused"
