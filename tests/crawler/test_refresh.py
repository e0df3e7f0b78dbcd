"""A crawl that follows others on the same source: what it asks for again, what it keeps, what it may take over."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
from django.db import connection, transaction
from django.utils import timezone

from crawler import actions, frontier, slice
from crawler.errors import UnknownCrawl, WrongState
from crawler.models import CrawlJob, CrawlUrl
from crawler.parts import Split, record_parts
from crawler.record import Skipped, record
from crawler.scope import Scope
from crawler.urls import url_hash
from knowledge import actions as actions_of_knowledge
from knowledge.actions import delete_item
from knowledge.ingest import IncomingDocument, prepare_document
from knowledge.models import Document, KnowledgeItem
from progress import tracker
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.crawler.jobs import SEED, job_of
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
        assert "gone from the site" in Progress.objects.get(pk=second.progress_id).log


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


def robots(*forbidden: str) -> Answer:
    return Answer("User-agent: *\n" + "".join(f"Disallow: {path}\n" for path in forbidden), content_type="text/plain")


def site_that_forbids(*names: str) -> LocalSite:
    links = ("/d/a", "/d/b", "/d/c", "/d/d")
    pages = {link: page(link[-1]) for link in links}
    return LocalSite({"/robots.txt": robots(*names), "/d/": page("start", *links), **pages})


def assert_counts_are_those_of_the_rows(job: CrawlJob) -> None:
    row = Progress.objects.get(pk=job.progress_id)
    states = Counter(CrawlUrl.objects.filter(job=job).values_list("state", flat=True))
    assert (row.total_pages, row.processed_pages) == (states["done"] + states["failed"],) * 2
    assert row.skipped_pages == states["skipped"]
    assert row.discovered_urls == states.total()


def test_a_refresh_asks_for_what_robots_txt_no_longer_forbids() -> None:
    with site_that_forbids("/d/b", "/d/c", "/d/d") as site:
        first = crawl(site)
        assert verdicts(first)["b"] == ("skipped", None)
        site.routes["/robots.txt"] = robots("/d/c")
        site.forget()
        again = refresh(first)
        assert {path for path in site.paths if path in site.routes} == {"/robots.txt", "/d/", "/d/a", "/d/b", "/d/d"}
        assert verdicts(again) == {
            "": ("done", 304),
            "a": ("done", 304),
            "b": ("done", 200),
            "c": ("skipped", None),
            "d": ("done", 200),
        }
        assert CrawlUrl.objects.get(job=again, state="skipped").reason == "robots"
        assert "now allows 2 pages" in "\n".join(again.progress.logs)
        assert_counts_are_those_of_the_rows(again)
        site.routes["/robots.txt"] = robots()
        assert verdicts(refresh(first))["c"] == ("done", 200), "it is remembered from refresh to refresh"


def test_what_robots_txt_still_forbids_takes_no_place_of_other_pages() -> None:
    """The crawl may have three pages: its start, and two of the three that are allowed now."""
    with site_that_forbids("/d/a", "/d/b", "/d/c", "/d/d") as site:
        started = actions.start(actions.CrawlRequest(f"{site.url}/d/", viewer=OPERATOR, max_pages=3))
        first = run(CrawlJob.objects.get(progress=started.progress_id))
        site.routes["/robots.txt"] = robots("/d/a")
        again = refresh(first)
        reasons = dict(CrawlUrl.objects.filter(job=again, state="skipped").values_list("url", "reason"))
        assert reasons == {f"{site.url}/d/a": "robots", f"{site.url}/d/d": "max_pages"}
        assert again.truncated == "max_pages"
        assert_counts_are_those_of_the_rows(again)
        CrawlJob.objects.filter(pk=again.pk).update(max_pages=10)
        assert verdicts(refresh(first))["d"] == ("done", 200)


def test_a_host_of_which_no_page_was_allowed_is_asked_for_its_robots_txt_anew() -> None:
    with site_of() as site, LocalSite({"/robots.txt": robots("/"), "/x": page("x"), "/y": page("y")}) as other:
        first = crawl(site)
        for url in (f"{other.url}/x", f"{other.url}/y"):
            CrawlUrl.objects.create(
                job=first, url=url, url_hash=url_hash(url), depth=1, state="skipped", reason="robots"
            )
        second = refresh(first)
        assert other.paths == ["/robots.txt"]
        assert_counts_are_those_of_the_rows(second)
        other.routes["/robots.txt"] = robots("/y")
        assert verdicts(refresh(first)) == {
            "": ("done", 304),
            "hub": ("done", 304),
            "leaf": ("done", 304),
            "x": ("done", 200),
            "y": ("skipped", None),
        }
        assert other.paths == ["/robots.txt", "/robots.txt", "/x"]


BROKEN = "does not exist (HTTP status 404); the link to it was found on"


def failures(job: CrawlJob) -> list[str]:
    return sorted(CrawlUrl.objects.filter(job=job, state="failed").values_list("error_message", flat=True))


def test_a_link_that_the_site_has_broken_is_told_with_the_page_it_is_on() -> None:
    routes = {"/d/": page("start", "/d/hub", "/d/no"), "/d/hub": page("hub", "/d/lost"), "/d/no": REFUSED}
    with LocalSite(routes) as site:
        first = crawl(site)
        told = f"{site.url}/d/lost {BROKEN} {site.url}/d/hub."
        assert failures(first) == [told, f"{site.url}/d/no answered with HTTP status 403."]
        lost = CrawlUrl.objects.get(job=first, error_message=told)
        assert "only its owner can mend the link" in lost.error_hint
        assert lost.milliseconds is not None
        assert (
            "The site has 1 broken link of its own; the list of pages says where. 1 page failed;" in first.progress.log
        )
        second = run(actions.retry_failed(first.progress_id, viewer=OPERATOR))
        assert told in failures(second)
        assert told in failures(refresh(first))


def test_a_page_that_a_sitemap_names_and_that_does_not_exist_is_told_with_the_sitemap() -> None:
    sitemap = Answer(
        "<urlset><url><loc>/d/lost</loc></url><url><loc>/d/gone</loc></url></urlset>", content_type="application/xml"
    )
    with LocalSite({"/d/": page("start", "/d/gone"), "/sitemap.xml": sitemap}) as site:
        assert failures(crawl(site)) == [
            f"{site.url}/d/gone {BROKEN} {site.url}/d/.",
            f"{site.url}/d/lost {BROKEN} {site.url}/sitemap.xml.",
        ]


def test_a_start_that_does_not_exist_is_a_wrong_address_and_no_broken_link() -> None:
    with LocalSite({}) as site:
        job = crawl(site)
        assert failures(job) == [f"{site.url}/d/ answered with HTTP status 404."]
        assert "check the address" in job.progress.error["hint"]


def test_nothing_begins_on_a_source_that_was_deleted() -> None:
    with site_of() as site:
        site.routes["/d/hub"] = REFUSED
        first = crawl(site)
    delete_item(first.item.source_id, OPERATOR)
    with pytest.raises(UnknownCrawl, match="was deleted"):
        actions.retry_failed(first.progress_id, viewer=OPERATOR)
    with pytest.raises(UnknownCrawl):
        actions.refresh(first.item.source_id, viewer=OPERATOR)
    assert not CrawlJob.objects.active().exists()


def test_a_crawl_that_meets_the_deletion_of_its_source_is_one_of_a_new_source() -> None:
    """The source is there when it is looked up, and is gone when its lock is had."""
    first = job_of()
    tracker.complete(first.progress_id)
    begun: list[CrawlJob] = []

    def start() -> None:
        begun.append(job_of())
        connection.close()

    other = threading.Thread(target=start)
    with transaction.atomic():
        delete_item(first.item.source_id, OPERATOR)
        other.start()
        if connection.vendor == "postgresql":
            wait_until_somebody_waits()
    other.join(20)
    (job,) = begun
    assert KnowledgeItem.objects.get(pk=job.item_id).deleted_at is None
    assert job.item_id != first.item_id


def wait_until_somebody_waits() -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            if cursor.fetchone():
                return
        time.sleep(0.01)
    raise TimeoutError


def test_a_file_whose_source_is_deleted_ends_its_crawl() -> None:
    job = job_of()
    (file,) = frontier.claim(job, "mine", 1)
    now = timezone.now()
    KnowledgeItem.objects.filter(pk=job.item_id).update(deleted_at=now)
    part = IncomingDocument(url=f"{SEED}a", url_hash=url_hash(f"{SEED}a"), title="A", markdown="Text.", fetched_at=now)
    split = Split(file, 200, 1, 1, "File", "Read", [prepare_document(part)])
    assert record_parts(job, split)
    assert record(job, Scope.from_json(job.scope), [split], set()).status == "cancelled"


def test_the_end_tells_of_the_page_limit_that_another_slice_met() -> None:
    job = job_of(pages=1)
    tracker.update(job.progress_id, add={"total_pages": 1, "processed_pages": 1})
    seed, page = frontier.claim(job, "mine", 2)
    CrawlUrl.objects.filter(pk=page.pk).update(state=CrawlUrl.State.DONE)
    CrawlJob.objects.filter(pk=job.pk).update(truncated="max_pages")
    row = record(job, Scope.from_json(job.scope), [Skipped(seed, "noindex", "Skipped")], set())
    assert row.status == "completed"
    assert "Stopped at the page limit" in row.log


def test_a_crawl_that_begins_while_its_source_is_deleted_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """After what ran was ended, and before the source is locked. SQLite has one writer at a time."""
    if connection.vendor != "postgresql":
        pytest.skip("needs two writers at once")
    first = job_of()
    tracker.complete(first.progress_id)
    end, begun = actions_of_knowledge._end_operations, []

    def start() -> None:
        begun.append(job_of())
        connection.close()

    def ended(source_id: str) -> None:
        end(source_id)
        if not begun:
            other = threading.Thread(target=start)
            other.start()
            other.join(20)

    monkeypatch.setattr(actions_of_knowledge, "_end_operations", ended)
    delete_item(first.item.source_id, OPERATOR)
    (job,) = begun
    assert job.item_id == first.item_id
    assert Progress.objects.get(pk=job.progress_id).status == "cancelled"
    assert not KnowledgeItem.objects.visible().exists()
