"""The admin shows every job and URL, acts on them, and stays fast on a large frontier."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from crawler.models import CrawlJob, CrawlUrl
from progress import tracker
from progress.models import Progress
from tests.crawler.jobs import job_of

pytestmark = pytest.mark.django_db

LARGE, COPIES = 100_000, 100
# Some queries more than a page of an empty list, and none that reads the whole table.
MOST_QUERIES = 12


def act(client: Client, action: str, *jobs: CrawlJob) -> str:
    response = client.post(
        reverse("admin:crawler_crawljob_changelist"),
        {"action": action, "_selected_action": [job.pk for job in jobs]},
        follow=True,
    )
    assert response.status_code == 200
    return response.content.decode()


def test_a_job_shows_its_status_counts_and_links(client: Client) -> None:
    job = job_of(pages=3)
    tracker.fail(job.progress_id, {"code": "timeout", "message": "It was slow.", "hint": "Try again."})
    page = client.get(reverse("admin:crawler_crawljob_changelist")).content.decode()
    for text in (job.url, "failed", "timeout: It was slow. Try again.", "<progress"):
        assert text in page
    detail = client.get(reverse("admin:crawler_crawljob_change", args=[job.pk])).content.decode()
    assert reverse("admin:progress_progress_change", args=[job.progress_id]) in detail
    assert reverse("admin:knowledge_knowledgeitem_change", args=[job.item_id]) in detail
    assert f"{reverse('admin:crawler_crawlurl_changelist')}?job__id__exact={job.pk}" in detail


def test_jobs_are_searched_and_filtered(client: Client) -> None:
    job_of("http://127.0.0.1:9/apples/")
    ended = job_of("http://127.0.0.1:9/pears/")
    tracker.complete(ended.progress_id)
    address = reverse("admin:crawler_crawljob_changelist")
    assert "pears" not in client.get(f"{address}?q=apples").content.decode()
    page = client.get(f"{address}?status=completed").content.decode()
    assert "pears" in page
    assert "apples" not in page


def test_actions_move_each_job_or_say_why_not(client: Client) -> None:
    running, ended = job_of("http://127.0.0.1:9/running/"), job_of("http://127.0.0.1:9/ended/")
    tracker.complete(ended.progress_id)
    page = act(client, "cancel_crawls", running, ended)
    assert "running/: cancelled." in page
    assert "There is nothing to stop." in page
    assert Progress.objects.get(pk=running.progress_id).status == "cancelled"
    assert "No page of this crawl failed." in act(client, "retry_failed_pages", ended)
    CrawlUrl.objects.filter(job=ended).update(state="failed")
    assert "ended/: retried." in act(client, "retry_failed_pages", ended)
    assert "is being crawled right now" in act(client, "refresh_sources", ended)
    assert "running/: refreshed." in act(client, "refresh_sources", running)


def test_rows_that_workers_write_cannot_be_edited(client: Client) -> None:
    job = job_of()
    response = client.post(reverse("admin:crawler_crawljob_change", args=[job.pk]), {"url": "http://other/"})
    assert response.status_code == 403
    assert client.get(reverse("admin:crawler_crawlurl_add")).status_code == 403


@pytest.fixture
def large_job() -> CrawlJob:
    job = job_of()
    states = ("done", "queued", "failed", "skipped")
    rows = (
        CrawlUrl(job=job, url=f"{job.url}page-{number}", url_hash=f"{number}-", depth=1, state=states[number % 4])
        for number in range(LARGE // COPIES)
    )
    CrawlUrl.objects.bulk_create(rows)
    # Each of these rows again and again, made by the database: a hundred thousand objects take ten seconds.
    changed = {"url": "url || '-' || n || '.html'", "url_hash": "url_hash || n"}
    names = [str(field.column) for field in CrawlUrl._meta.local_concrete_fields if not field.primary_key]
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < {COPIES - 1}) "
            f"INSERT INTO crawler_crawlurl ({', '.join(names)}) "
            f"SELECT {', '.join(changed.get(name, name) for name in names)} "
            "FROM crawler_crawlurl CROSS JOIN copies WHERE url_hash LIKE '%-'"
        )
    assert CrawlUrl.objects.filter(job=job).count() >= LARGE
    return job


def test_the_lists_stay_fast_on_a_large_frontier(
    client: Client, large_job: CrawlJob, django_assert_max_num_queries: Any
) -> None:
    urls = reverse("admin:crawler_crawlurl_changelist")
    pages = [
        reverse("admin:crawler_crawljob_changelist"),
        urls,
        f"{urls}?job__id__exact={large_job.pk}&state__exact=failed",
        f"{urls}?job__id__exact={large_job.pk}&p=500",
        f"/api/crawls/{large_job.progress_id}/pages?state=failed&page=100&per_page=100",
    ]
    for page in pages:
        with django_assert_max_num_queries(MOST_QUERIES) as captured:
            assert client.get(page).status_code == 200
        slowest = max(float(query["time"]) for query in captured.captured_queries)
        assert slowest < 1.0, (page, slowest)
