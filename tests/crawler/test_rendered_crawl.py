"""A crawl that needs a browser: what its rows and its log say, and what it says where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from crawler import actions, engine, slice
from crawler.actions import CrawlRequest
from crawler.chromium import find_chromium
from crawler.errors import BrowserMissing
from crawler.models import CrawlJob, CrawlUrl
from knowledge.models import Document
from progress.viewer import OPERATOR
from tests.site import LocalSite

PROGRAM = find_chromium("")
pytestmark = pytest.mark.django_db(transaction=True)
FILL = "root.innerHTML = '<h1>Filled</h1><a href=/next>next</a><p>' + 'word '.repeat(80)"
SHELL = f"<title>App</title><div id=root></div><script>{FILL}</script>"


@pytest.fixture
def site(settings: Any) -> Iterator[LocalSite]:
    with LocalSite({"/": SHELL, "/next": "<h1>Next</h1>" + "<p>Plain text.</p>" * 30}) as site:
        yield site
    engine.close()


@pytest.fixture
def no_browser(settings: Any) -> None:
    settings.CHROMIUM = "/nowhere/chromium"
    engine.close()


def crawled(url: str, render: str) -> CrawlJob:
    started = actions.start(CrawlRequest(url=url, render=render, viewer=OPERATOR))
    job = CrawlJob.objects.select_related("progress", "item").get(progress=started.progress_id)
    while slice.run(job):
        pass
    job.progress.refresh_from_db()
    return job


@pytest.mark.skipif(PROGRAM is None, reason="NO CHROMIUM ON PATH: no crawl with a browser was tested here")
@pytest.mark.xdist_group("chromium")
def test_a_page_that_needs_its_scripts_is_stored_with_them_and_its_links_are_followed(
    site: LocalSite, client: Client
) -> None:
    engine.close()
    job = crawled(f"{site.url}/", "auto")
    assert job.progress.status == "completed", job.progress.error
    rendered = dict(CrawlUrl.objects.filter(job=job, state="done").values_list("url", "rendered"))
    assert rendered == {f"{site.url}/": True, f"{site.url}/next": False}
    assert "word word" in Document.objects.get(item=job.item, url=f"{site.url}/").markdown
    assert "1 page was read by a browser" in job.progress.log
    pages = client.get(f"/api/crawls/{job.progress_id}/pages").json()["pages"]
    assert {page["url"]: page["rendered"] for page in pages}[f"{site.url}/"] is True


@pytest.mark.usefixtures("no_browser")
@pytest.mark.parametrize("endpoint", ["crawl", "crawl/preview"])
def test_a_browser_is_asked_for_in_vain_only_until_the_answer(site: LocalSite, client: Client, endpoint: str) -> None:
    body = {"url": f"{site.url}/", "render": "browser"}
    answer = client.post(f"/api/knowledge-items/{endpoint}", body, content_type="application/json")
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert (detail["code"], detail["field"]) == ("browser_missing", "render")
    assert "ARCHON_CHROMIUM" in detail["hint"]
    assert not CrawlJob.objects.exists()


@pytest.mark.usefixtures("no_browser")
def test_a_worker_without_a_browser_fails_the_crawl_with_the_way_out(site: LocalSite, settings: Any) -> None:
    settings.CRAWL_ALLOW_PRIVATE = (f"127.0.0.1:{site.port}",)
    started = actions.start(CrawlRequest(url=f"{site.url}/", render="auto", viewer=OPERATOR))
    job = CrawlJob.objects.get(progress=started.progress_id)
    CrawlJob.objects.filter(pk=job.pk).update(render="browser")  # asked for on a machine that has one
    job.refresh_from_db()
    slice.run(job)
    job.progress.refresh_from_db()
    assert job.progress.status == "failed"
    assert job.progress.error is not None
    assert job.progress.error["code"] == "browser_missing"
    assert "ARCHON_CHROMIUM" in job.progress.error["hint"]


@pytest.mark.usefixtures("no_browser")
def test_without_a_browser_a_page_is_kept_as_it_came_or_fails_with_the_way_out(site: LocalSite) -> None:
    little = "<h1>A title</h1><p>Loading the rest of this page.</p><a href=/empty>e</a><script>later()</script>"
    site.routes |= {"/": little, "/empty": SHELL}
    job = crawled(f"{site.url}/", "auto")
    assert job.progress.status == "completed"
    kept, failed = CrawlUrl.objects.filter(job=job).order_by("depth")
    assert (kept.state, kept.rendered) == ("done", False)
    assert any("Not rendered" in line for line in job.progress.logs)
    assert (failed.state, failed.error_code) == ("failed", "empty_page")
    assert "ARCHON_CHROMIUM" in failed.error_hint


@pytest.mark.usefixtures("no_browser")
def test_no_other_crawl_asks_for_a_browser(site: LocalSite) -> None:
    with pytest.raises(BrowserMissing):
        actions.start(CrawlRequest(url=f"{site.url}/next", render="browser", viewer=OPERATOR))
    assert crawled(f"{site.url}/next", "http").progress.status == "completed"
