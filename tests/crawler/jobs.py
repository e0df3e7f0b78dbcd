"""Crawl jobs for tests: committed rows, no worker."""

from __future__ import annotations

from crawler import actions
from crawler.actions import CrawlRequest
from crawler.models import CrawlJob, CrawlUrl
from crawler.urls import url_hash
from progress.viewer import OPERATOR, Viewer

# Nothing listens on the discard port: a fetch that happens by mistake fails at once.
SEED = "http://127.0.0.1:9/docs/"


def job_of(
    url: str = SEED, *, max_pages: int = 100, max_depth: int = 5, pages: int = 0, owner_id: int | None = None
) -> CrawlJob:
    """A started crawl; `pages` further URLs are queued."""
    viewer = OPERATOR if owner_id is None else Viewer(owner_id)
    started = actions.start(CrawlRequest(url=url, max_pages=max_pages, max_depth=max_depth, viewer=viewer))
    job = CrawlJob.objects.select_related("item", "progress").get(progress=started.progress_id)
    urls = [f"{url}{number}.html" for number in range(pages)]
    CrawlUrl.objects.bulk_create(CrawlUrl(job=job, url=one, url_hash=url_hash(one), depth=1) for one in urls)
    return job
