"""A crawl that follows others on the same source: what it asks for again, what it keeps, what it may take over."""

from __future__ import annotations

import pytest

from crawler import actions, slice
from crawler.errors import WrongState
from crawler.models import CrawlJob, CrawlUrl
from knowledge.models import Document
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.site import Answer, LocalSite

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED, GONE = Answer("no", 403), Answer("gone", 404)


def page(name: str, *links: str) -> Answer:
    return Answer(f"<h1>{name}</h1><p>Text of {name}.</p>" + "".join(f'<a href="{link}">{link}</a>' for link in links))


def site_of() -> LocalSite:
    return LocalSite({"/d/": page("start", "/d/hub"), "/d/hub": page("hub", "/d/leaf"), "/d/leaf": page("leaf")})


def run(job: CrawlJob) -> CrawlJob:
    while slice.run(job):
        pass
    return CrawlJob.objects.select_related("progress", "item").get(pk=job.pk)


def crawl(site: LocalSite) -> CrawlJob:
    started = actions.start(actions.CrawlRequest(f"{site.url}/d/", viewer=OPERATOR))
    return run(CrawlJob.objects.get(progress=started.progress_id))


def refresh(job: CrawlJob) -> CrawlJob:
    return run(actions.refresh(job.item.source_id, viewer=OPERATOR))


def verdicts(job: CrawlJob) -> dict[str, tuple[str, int | None]]:
    rows = CrawlUrl.objects.filter(job=job).values_list("url", "state", "http_status")
    return {url.rpartition("/")[2]: (state, status) for url, state, status in rows}


def test_a_page_that_the_crawl_before_could_not_read_is_sent_whole_for_its_links() -> None:
    """It is stored and did not change; but what it links to, the crawl before never met."""
    with site_of() as site:
        first = crawl(site)
        hub, site.routes["/d/hub"] = site.routes["/d/hub"], REFUSED
        assert verdicts(crawl(site)) == {"": ("done", 200), "hub": ("failed", 403)}
        site.routes["/d/hub"] = hub
        again = refresh(first)
        assert verdicts(again) == {"": ("done", 304), "hub": ("done", 200), "leaf": ("done", 200)}
        assert verdicts(refresh(first)) == {"": ("done", 304), "hub": ("done", 304), "leaf": ("done", 304)}


def test_a_crawl_that_was_stopped_at_once_hides_no_page_from_the_refreshes_after_it() -> None:
    with site_of() as site:
        first = crawl(site)
        started = actions.start(actions.CrawlRequest(f"{site.url}/d/", viewer=OPERATOR))
        actions.cancel(started.progress_id, viewer=OPERATOR)
        assert verdicts(refresh(first)).keys() == {"", "hub", "leaf"}


def test_a_page_is_removed_when_it_is_gone_twice_and_not_when_one_crawl_asked_for_it() -> None:
    with site_of() as site:
        first = crawl(site)
        stopped = actions.refresh(first.item.source_id, viewer=OPERATOR)
        actions.cancel(stopped.progress_id, viewer=OPERATOR)
        leaf, site.routes["/d/leaf"] = site.routes["/d/leaf"], GONE
        assert verdicts(refresh(first))["leaf"] == ("failed", 404)
        assert Document.objects.filter(url__endswith="leaf").exists(), "the one before was stopped before it asked"
        site.routes["/d/leaf"] = leaf
        assert verdicts(refresh(first))["leaf"][0] == "done"
        site.routes["/d/leaf"] = GONE
        refresh(first)
        assert Document.objects.filter(url__endswith="leaf").exists(), "it was there in between"
        second = refresh(first)
        assert not Document.objects.filter(url__endswith="leaf").exists()
        assert "1 pages are gone from the site and were removed" in Progress.objects.get(pk=second.progress_id).log


def test_a_crawl_whose_retry_found_more_is_not_retried_itself() -> None:
    with site_of() as site:
        hub, site.routes["/d/hub"] = site.routes["/d/hub"], REFUSED
        first = crawl(site)
        site.routes["/d/hub"] = hub
        second = run(actions.retry_failed(first.progress_id, viewer=OPERATOR))
        assert verdicts(second).keys() == {"", "hub", "leaf"}
        with pytest.raises(WrongState, match="later crawl"):
            actions.retry_failed(first.progress_id, viewer=OPERATOR)
        assert verdicts(refresh(first)).keys() == {"", "hub", "leaf"}
