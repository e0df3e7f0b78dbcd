"""Discovery inside a crawl: what the site names is crawled, and the job remembers what was read."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from crawler import actions, slice
from crawler.models import CrawlJob, CrawlUrl
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.site import Answer, LocalSite, docs_site

LISTED = "<urlset><url><loc>/docs/orphan.html</loc></url><url><loc>/blog/</loc></url></urlset>"


def crawl(url: str, **options: object) -> CrawlJob:
    started = actions.start(actions.CrawlRequest(url, viewer=OPERATOR, **options))  # type: ignore[arg-type]
    job = CrawlJob.objects.get(progress=started.progress_id)
    while slice.run(job):
        pass
    return CrawlJob.objects.get(pk=job.pk)


def states(job: CrawlJob, site: LocalSite) -> dict[str, str]:
    rows = CrawlUrl.objects.filter(job=job).values_list("url", "state")
    return {url.removeprefix(site.url): state for url, state in rows}


@pytest.mark.django_db(transaction=True)
def test_a_page_that_only_a_sitemap_names_is_crawled() -> None:
    with LocalSite(docs_site(3)) as site:
        site.routes["/sitemap.xml"] = Answer(LISTED, content_type="application/xml")
        site.routes["/docs/orphan.html"] = "<h1>Orphan</h1><p>Nothing links here.</p>"
        job = crawl(f"{site.url}/docs/")
        assert states(job, site)["/docs/orphan.html"] == "done"
        assert "/blog/" not in states(job, site)
    assert job.discovery["kind"] == "page"
    assert [read["kind"] for read in job.discovery["files"]] == ["llms_txt", "sitemap"]
    assert any(
        line.startswith("Pages named by ") and line.endswith(": 2, 1 out of scope")
        for line in Progress.objects.get(pk=job.progress_id).logs
    )


@pytest.mark.django_db(transaction=True)
def test_a_refresh_finds_what_the_site_names_since() -> None:
    with LocalSite(docs_site(3)) as site:
        first = crawl(f"{site.url}/docs/")
        site.routes["/sitemap.xml"] = Answer(LISTED, content_type="application/xml")
        site.routes["/docs/orphan.html"] = "<h1>Orphan</h1><p>Nothing links here.</p>"
        again = actions.refresh(first.item.source_id, viewer=OPERATOR)
        slice.run(again)
        assert states(again, site)["/docs/orphan.html"] == "done"
        assert CrawlUrl.objects.get(job=again, depth=0).http_status == 304


@pytest.mark.django_db(transaction=True)
def test_a_known_site_that_is_crawled_anew_is_crawled_whole() -> None:
    """Its first page did not change; with other options the crawl may reach more than the one before."""
    with LocalSite(docs_site(5)) as site:
        first = crawl(f"{site.url}/docs/", max_pages=2)
        assert list(states(first, site).values()).count("done") == 2
        again = crawl(f"{site.url}/docs/")
        assert CrawlUrl.objects.get(job=again, depth=0).http_status == 200
        whole = states(again, site)
        assert sum(state == "done" for state in whole.values()) == 5
        refreshed = actions.refresh(again.item.source_id, viewer=OPERATOR)
        while slice.run(refreshed):
            pass
        assert sum(state == "done" for state in states(refreshed, site).values()) == 5
        assert CrawlUrl.objects.get(job=refreshed, depth=0).http_status == 304


@pytest.mark.django_db(transaction=True)
def test_a_sitemap_as_seed_is_read_and_its_pages_are_crawled() -> None:
    page = "<h1>Orphan</h1><p>Text.</p>"
    with LocalSite({"/map.xml": Answer(LISTED, content_type="text/xml"), "/docs/orphan.html": page}) as site:
        job = crawl(f"{site.url}/map.xml")
        assert states(job, site) == {"/map.xml": "skipped", "/docs/orphan.html": "done", "/blog/": "failed"}
    assert Progress.objects.get(pk=job.progress_id).status == "completed"


@pytest.mark.django_db(transaction=True)
def test_a_text_stands_alone() -> None:
    text = Answer("# Readme\n\n" + "word " * 300 + "\n[more](/more.md)\n", content_type="text/markdown")
    with LocalSite({"/readme.md": text, "/more.md": text}) as site:
        assert states(crawl(f"{site.url}/readme.md"), site) == {"/readme.md": "done"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["http://10.0.0.1/robots.txt", "http://u:p@example.com/", "/robots.txt"])
def test_robots_txt_that_leads_nowhere_is_none(place: str) -> None:
    robots = Answer("", 302, {"Location": place})
    with LocalSite({"/": "<h1>Home</h1><p>Text.</p>", "/robots.txt": robots}) as site:
        assert states(crawl(f"{site.url}/"), site) == {"/": "done"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("verb", "state"), [(actions.pause, "queued"), (actions.cancel, "skipped")])
def test_a_crawl_can_be_paused_and_cancelled_while_its_site_is_discovered(
    verb: Callable[..., CrawlJob], state: str
) -> None:
    with LocalSite(docs_site(2)) as site:
        site.routes["/sitemap.xml"] = Answer("late", delay=30)
        started = actions.start(actions.CrawlRequest(f"{site.url}/docs/", viewer=OPERATOR))
        job = CrawlJob.objects.get(progress=started.progress_id)

        def stop() -> None:
            site.wait_for("/sitemap.xml")
            verb(job.progress_id, viewer=OPERATOR)
            connection.close()

        stopping = threading.Thread(target=stop)
        stopping.start()
        assert slice.run(job) is False
        stopping.join()
        assert states(job, site) == {"/docs/": state}
    assert Progress.objects.get(pk=job.progress_id).status in ("paused", "cancelled")
