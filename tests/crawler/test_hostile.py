"""One crawl over everything a hostile site can do: it ends within its budgets, and the innocent pages are stored."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import psutil
import pytest
from django.test import override_settings

from crawler import actions, engine, frontier, record, slice
from crawler.discovery import SEED_TYPES, Kind, Limits, begin
from crawler.models import CrawlJob, CrawlUrl
from knowledge.models import Document
from progress.loop import submit
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.site import LocalSite
from tests.site.hostile import ENDLESS, NESTED_TAGS, ORPHAN, HostileSite, Trap, bomb, gzip_sitemap_bomb

CRAWL_SECONDS = 45
PAGE_SECONDS = 1.5
FILE_BYTES = 5 * 2**20
PAGE_BYTES = NESTED_TAGS * len("<b>") + 2**16
MAX_RSS_GROWTH = 200 * 2**20
MAX_DEPTH = 3
VARIANTS = 15


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[HostileSite, LocalSite]]:
    """The site, and a fetcher with budgets as small as the test."""
    monkeypatch.setattr(record, "RETRY_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(frontier, "MAX_QUERY_VARIANTS", VARIANTS)
    for coding in ("gzip", "deflate", "br"):
        bomb(coding)
    gzip_sitemap_bomb()
    site = HostileSite()
    engine.close()
    small = override_settings(
        CRAWL_PAGE_SECONDS=PAGE_SECONDS, CRAWL_MAX_PAGE_BYTES=PAGE_BYTES, CRAWL_MAX_FILE_BYTES=FILE_BYTES
    )
    with small, LocalSite(site) as served:
        submit(engine.fetcher().start()).result(30)
        yield site, served
    engine.close()


class Watch:
    """The most memory that this process had meanwhile."""

    def __enter__(self) -> Self:
        self.peak = self.before = psutil.Process().memory_info().rss
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, psutil.Process().memory_info().rss)

    @property
    def growth(self) -> int:
        return self.peak - self.before


@dataclass
class Crawled:
    job: CrawlJob
    row: Progress
    seconds: float
    urls: dict[str, CrawlUrl]

    def wrong(self, trap: Trap) -> str:
        """Empty when the trap got its verdict; else what it got."""
        url = self.urls.get(trap.path)
        if url is None:
            return f"{trap.path}: never found"
        why = url.error_code if url.state == CrawlUrl.State.FAILED else url.reason
        if url.state != trap.state or (trap.reasons and why not in trap.reasons):
            return f"{trap.path}: {url.state} {why} ({url.error_message}), not {trap.state} {set(trap.reasons)}"
        if trap.says and trap.says not in self.text(url):
            return f"{trap.path}: {trap.says!r} is not in its text"
        return ""

    def text(self, url: CrawlUrl) -> str:
        assert url.document_id is not None
        return Document.objects.get(pk=url.document_id).markdown

    def below(self, path: str) -> Counter[str]:
        """What became of the addresses of one trap, by state or by the reason of a skip."""
        rows = (url for found, url in self.urls.items() if found.partition("?")[0] == path and "?" in found)
        return Counter(url.reason if url.state == "skipped" else url.state for url in rows)


def crawled(site: LocalSite, max_pages: int) -> Crawled:
    started = time.monotonic()
    request = actions.CrawlRequest(
        f"{site.url}/", scope="host", max_depth=MAX_DEPTH, max_pages=max_pages, viewer=OPERATOR
    )
    job = CrawlJob.objects.get(progress=actions.start(request).progress_id)
    while not Progress.objects.get(pk=job.progress_id).ended and time.monotonic() - started < CRAWL_SECONDS:
        slice.run(CrawlJob.objects.get(pk=job.pk))
    urls = {url.url.removeprefix(site.url): url for url in CrawlUrl.objects.filter(job=job)}
    row = Progress.objects.get(pk=job.progress_id)
    return Crawled(CrawlJob.objects.get(pk=job.pk), row, time.monotonic() - started, urls)


@pytest.mark.django_db(transaction=True)
def test_a_crawl_of_a_hostile_site_ends_with_a_verdict_for_every_address(
    hostile: tuple[HostileSite, LocalSite],
) -> None:
    site, served = hostile
    max_pages = len(site.traps) + 120
    with Watch() as memory:
        crawl = crawled(served, max_pages)
    wrong = [said for trap in site.traps if (said := crawl.wrong(trap))]
    assert not wrong, "\n".join(wrong)
    assert crawl.row.status == "completed"
    assert crawl.seconds < CRAWL_SECONDS
    assert memory.growth <= MAX_RSS_GROWTH, f"{memory.growth / 2**20:.0f} MiB"
    states = Counter(url.state for url in crawl.urls.values())
    assert states["queued"] == states["leased"] == 0
    assert states["done"] + states["failed"] == crawl.row.processed_pages == crawl.row.total_pages <= max_pages
    assert max(url.depth for url in crawl.urls.values()) <= MAX_DEPTH
    for path in ("/calendar", "/shop"):
        below = crawl.below(path)
        assert 0 < below["done"] + below["failed"] <= VARIANTS, (path, below)
        assert 0 < below["query_variants"] <= VARIANTS, (path, below)
    # Three addresses that say "not found" with status 200 are one page.
    assert sorted(crawl.urls[f"/soft404/{n}"].reason for n in range(3)) == ["alias", "alias", "new"]
    assert "variants of one address" in crawl.row.log
    assert sum(1 for path in crawl.urls if path.startswith("/deep/")) <= sum(3**n for n in range(1, MAX_DEPTH))


@pytest.mark.django_db(transaction=True)
def test_a_trap_without_an_end_stops_at_the_page_limit(hostile: tuple[HostileSite, LocalSite]) -> None:
    _, served = hostile
    served.routes["/"] = "<h1>Traps</h1>" + "".join(f'<p><a href="{path}">{path}</a></p>' for path in ENDLESS)
    served.routes["/robots.txt"] = ""
    crawl = crawled(served, max_pages=30)
    assert (crawl.row.status, crawl.job.truncated) == ("completed", "max_pages")
    assert crawl.row.total_pages == crawl.row.processed_pages == 30
    assert sum(1 for path in served.paths if path.partition("?")[0] != "/robots.txt") < 60


def test_hostile_sitemaps_give_what_is_honest_in_them(hostile: tuple[HostileSite, LocalSite]) -> None:
    _, served = hostile
    fetcher = engine.fetcher()
    seed = submit(fetcher.fetch(f"{served.url}/", accept=SEED_TYPES, keep_body=True)).result(10)
    rules = submit(fetcher.fetch_robots(served.url)).result(10)
    served.forget()
    with Watch() as memory:
        found = submit(
            begin(
                seed,
                fetcher.fetch,
                rules,
                agent="Archon",
                belongs=lambda url: url.startswith(served.url),
                limits=Limits(seconds=20),
            )
        ).result(30)
    assert found.kind is Kind.PAGE
    assert [entry.url for entry in found.seeds] == [served.url + ORPHAN]
    assert memory.growth <= MAX_RSS_GROWTH, f"{memory.growth / 2**20:.0f} MiB"
    assert len(served.paths) == len(set(served.paths)) <= 20
    notes = "\n".join(found.notes)
    for said in (
        "xxe.xml declares entities",
        "laughs.xml declares entities",
        "endless.xml is larger than",
        "many.xml holds more than 50,000",
        "broken.xml is not well-formed",
        "page.xml is no sitemap",
        "bomb.xml.gz",
        "silent.xml did not answer in time",
        "missing.xml answered with HTTP status 404",
        "10.0.0.1 is a private",
        "169.254.169.254 is a private",
        "nested deeper",
    ):
        assert said in notes, said
    assert not any("root:" in entry.url for entry in found.seeds)


def test_every_row_of_the_matrix_has_its_routes() -> None:
    traps = [trap.path for trap in HostileSite().traps]
    assert len(traps) == len(set(traps)) >= 80
    folders = Counter(path.split("/")[1] for path in traps)
    assert {"slow", "busy", "to", "bomb", "body", "file", "text", "innocent"} <= set(folders)
    assert all(itertools.starmap(lambda _, count: count >= 4, folders.most_common(7)))
