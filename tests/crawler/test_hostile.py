"""One crawl over everything a hostile site can do: it ends within its budgets, and the innocent pages are stored."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from django.test import override_settings

from crawler import actions, engine, frontier, hosts, record, slice
from crawler.discovery import SEED_TYPES, Kind, Limits, begin
from crawler.models import CrawlJob, CrawlUrl
from progress.loop import submit
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.site import LocalSite
from tests.site.hostile import (
    CODINGS,
    ENDLESS,
    NESTED_TAGS,
    ORPHAN,
    HostileSite,
    Trap,
    bomb,
    deaf,
    failed,
    for_years,
    gzip_sitemap_bomb,
    html,
    links,
    moved,
)
from tests.stack import Stack, running_stack

# It takes half a minute; a busy machine may take longer, and no budget of the site's pages would let it go on for ever.
CRAWL_SECONDS = 150
PAGE_SECONDS = 1.5
MAX_RSS = 512 * 2**20
MAX_RSS_GROWTH = 200 * 2**20
MAX_DEPTH = 3
VARIANTS = 15
# So few that each trap reaches them before all together reach the page limit, in whatever order their pages come.
FEW_VARIANTS = 10


# Three megabytes are the page of a million tags.
BUDGETS = {
    "ARCHON_CRAWL_PAGE_SECONDS": str(PAGE_SECONDS),
    "ARCHON_CRAWL_MAX_PAGE_BYTES": str(NESTED_TAGS * len("<b>") + 2**16),
    "ARCHON_CRAWL_MAX_FILE_BYTES": str(5 * 2**20),
}


def pack_bombs() -> None:
    """Before a server has to wait for them."""
    for coding in CODINGS:
        bomb(coding)
    gzip_sitemap_bomb()


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[HostileSite, LocalSite]]:
    """The site, and a fetcher with budgets as small as the test."""
    monkeypatch.setattr(record, "RETRY_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(frontier, "MAX_QUERY_VARIANTS", VARIANTS)
    pack_bombs()
    site = HostileSite()
    engine.close()
    with override_settings(CRAWL_PAGE_SECONDS=PAGE_SECONDS), LocalSite(site) as served:
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


def crawled(stack: Stack, site: LocalSite, max_pages: int) -> str:
    """The progress id of a crawl that has ended."""
    progress_id = stack.crawl(f"{site.url}/", scope="host", max_depth=MAX_DEPTH, max_pages=max_pages)
    stack.ended(progress_id, seconds=CRAWL_SECONDS)
    return progress_id


def verdicts(stack: Stack, site: LocalSite, progress_id: str) -> dict[str, dict[str, Any]]:
    """What became of every address, by its path."""
    rows: list[dict[str, Any]] = []
    for page in itertools.count(1):
        more = stack.pages(progress_id, f"&page={page}")
        if not more:
            return {row["url"].removeprefix(site.url): row for row in rows}
        rows += more
    raise AssertionError("unreachable")


def wrong(stack: Stack, urls: dict[str, dict[str, Any]], trap: Trap) -> str:
    """Empty when the trap got its verdict; else what it got."""
    url = urls.get(trap.path)
    if url is None:
        return f"{trap.path}: never found"
    why = url["error"]["code"] if url["state"] == "failed" else url["reason"]
    if url["state"] == "failed" and not (url["error"]["hint"] and url["milliseconds"] is not None):
        return f"{trap.path}: failed with no next step, or without its time: {url}"
    if url["state"] != trap.state or (trap.reasons and why not in trap.reasons):
        return f"{trap.path}: {url['state']} {why} ({url['error']}), not {trap.state} {set(trap.reasons)}"
    if trap.says and trap.says not in stack.get(f"/api/pages/{url['page_id']}")["full_content"]:
        return f"{trap.path}: {trap.says!r} is not in its text"
    return ""


def most_memory(pid: int) -> int:
    """Bytes of memory that a process held at its worst, as the kernel counted them."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@pytest.mark.timeout(2 * CRAWL_SECONDS)
@pytest.mark.skipif(sys.platform != "linux", reason="the most memory of a process is read from /proc")
def test_a_crawl_of_a_hostile_site_ends_with_a_verdict_for_every_address() -> None:
    """The whole product, so that the memory is that of real worker processes; what it meets asks no database."""
    pack_bombs()
    site = HostileSite()
    max_pages = len(site.traps) + 120
    with running_stack(DATABASE_URL="", **BUDGETS) as stack, LocalSite(site) as served:
        workers = stack.worker_pids()
        before = {pid: most_memory(pid) for pid in workers}
        progress_id = crawled(stack, served, max_pages)
        assert stack.worker_pids() == workers, "no worker process died of it, and none was replaced"
        held = {pid: most_memory(pid) for pid in workers}
        urls = verdicts(stack, served, progress_id)
        row = stack.get(f"/api/progress/{progress_id}")
        mistakes = [said for trap in site.traps if (said := wrong(stack, urls, trap))]
    assert not mistakes, "\n".join(mistakes)
    assert row["status"] == "completed"
    assert max(held.values()) <= MAX_RSS, held
    assert all(held[pid] - before[pid] <= MAX_RSS_GROWTH for pid in workers), (before, held)
    states = Counter(url["state"] for url in urls.values())
    assert states["queued"] == states["leased"] == 0
    assert states["done"] + states["failed"] == row["processedPages"] == row["totalPages"] <= max_pages
    assert max(url["depth"] for url in urls.values()) <= MAX_DEPTH
    # Three addresses that say "not found" with status 200 are one page.
    assert sorted(urls[f"/soft404/{n}"]["reason"] for n in range(3)) == ["alias", "alias", "new"]
    assert sum(1 for path in urls if path.startswith("/deep/")) <= sum(3**n for n in range(1, MAX_DEPTH))


@pytest.mark.django_db(transaction=True)
def test_a_trap_without_an_end_stops_at_its_limits(
    hostile: tuple[HostileSite, LocalSite], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the page limit of the crawl, and before it at the variants of one address."""
    monkeypatch.setattr(frontier, "MAX_QUERY_VARIANTS", FEW_VARIANTS)
    _, served = hostile
    served.routes["/"] = "<h1>Traps</h1>" + "".join(f'<p><a href="{path}">{path}</a></p>' for path in ENDLESS)
    served.routes["/robots.txt"] = ""
    request = actions.CrawlRequest(f"{served.url}/", scope="host", max_depth=MAX_DEPTH, max_pages=60, viewer=OPERATOR)
    job = CrawlJob.objects.get(progress=actions.start(request).progress_id)
    while slice.run(job):
        pass
    job.refresh_from_db()
    row = Progress.objects.get(pk=job.progress_id)
    assert (row.status, job.truncated) == ("completed", "max_pages")
    assert row.total_pages == row.processed_pages == 60
    assert sum(1 for path in served.paths if path.partition("?")[0] != "/robots.txt") < 90
    assert "variants of one address" in row.log
    for path in ("/calendar", "/shop"):
        below = Counter(
            url.reason if url.state == "skipped" else url.state
            for url in CrawlUrl.objects.filter(job=job, url__startswith=f"{served.url}{path}?")
        )
        assert 0 < below["done"] + below["failed"] <= FEW_VARIANTS, (path, below)
        assert 0 < below["query_variants"] <= FEW_VARIANTS, (path, below)


@pytest.mark.django_db(transaction=True)
def test_a_host_that_wants_to_be_waited_for_ends_in_its_budget(
    hostile: tuple[HostileSite, LocalSite], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For years, or for a connection that never comes; an hour of patience is made short here."""
    monkeypatch.setattr(hosts, "HOLD_LIMIT_SECONDS", 0.05)
    site, served = hostile
    traps = [*for_years(), *(trap for trap in site.traps if trap.path.startswith("/innocent/"))]
    with deaf() as origin:
        traps.append(failed("/to/deaf", moved(f"{origin}/"), "timeout"))
        served.routes |= {trap.path: trap.route for trap in traps}
        served.routes |= {"/": html(links(*(trap.path for trap in traps))), "/robots.txt": ""}
        request = actions.CrawlRequest(f"{served.url}/", scope="host", max_depth=2, viewer=OPERATOR)
        job = CrawlJob.objects.get(progress=actions.start(request).progress_id)
        deadline = time.monotonic() + CRAWL_SECONDS
        while not Progress.objects.get(pk=job.progress_id).ended:
            assert time.monotonic() < deadline
            slice.run(CrawlJob.objects.get(pk=job.pk))
    assert Progress.objects.get(pk=job.progress_id).status == "completed"
    urls = {url.url.removeprefix(served.url): url for url in CrawlUrl.objects.filter(job=job)}
    found = {path: (url.state, url.error_code) for path, url in urls.items() if path != "/"}
    assert found == {trap.path: (trap.state, "".join(trap.reasons)) for trap in traps}
    assert {url.throttles for path, url in urls.items() if path.startswith("/years/")} == {0, hosts.MAX_THROTTLES}


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
