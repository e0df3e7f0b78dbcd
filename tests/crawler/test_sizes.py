"""What the two settings of size let in, to the byte, and that the rest of the crawl goes on."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import pytest

from crawler import actions, engine, slice
from crawler.models import CrawlJob, CrawlUrl
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.knowledge.documents import pdf
from tests.site import Answer, LocalSite

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = f"<html><title>Large</title><body><p>{'many words ' * 300}</p></body></html>"
BOOK = pdf(["The whole of the book."] * 3, title="Book")


@pytest.fixture
def site() -> Iterator[LocalSite]:
    """Two pages that are one when they are decoded, and a file."""
    linked = "".join(f'<a href="{name}">{name}</a>' for name in ("large.html", "packed.html", "book.pdf"))
    routes = {
        "/docs/": Answer(f"<title>Docs</title><p>A small page with its words.</p>{linked}"),
        "/docs/large.html": Answer(LARGE),
        "/docs/packed.html": Answer(
            gzip.compress(LARGE.replace("Large", "Small").encode()), headers={"Content-Encoding": "gzip"}
        ),
        "/docs/book.pdf": Answer(BOOK, content_type="application/pdf"),
    }
    engine.close()
    with LocalSite(routes) as served:
        yield served
    engine.close()


def verdicts(site: LocalSite) -> dict[str, str]:
    """By the last word of the address: the state, and the code of a failure."""
    started = actions.start(actions.CrawlRequest(f"{site.url}/docs/", viewer=OPERATOR))
    job = CrawlJob.objects.get(progress=started.progress_id)
    while slice.run(job):
        pass
    assert Progress.objects.get(pk=started.progress_id).status == "completed"
    urls = CrawlUrl.objects.filter(job=job, container=None)
    return {url.url.rpartition("/")[2]: f"{url.state} {url.error_code}".strip() for url in urls}


@pytest.mark.parametrize(("less", "state"), [(0, "done"), (1, "failed too_large")])
def test_a_page_may_have_so_many_bytes_decoded(site: LocalSite, settings: Any, less: int, state: str) -> None:
    settings.CRAWL_MAX_PAGE_BYTES = len(LARGE) - less
    told = verdicts(site)
    assert (told["large.html"], told["packed.html"]) == (state, state)
    assert told[""] == "done"
    assert told["book.pdf"].startswith(("done", "skipped")), "a file has a limit of its own"


@pytest.mark.parametrize(("less", "state"), [(0, ("done", "skipped")), (1, ("failed too_large",))])
def test_a_file_may_have_so_many_bytes(site: LocalSite, settings: Any, less: int, state: tuple[str, ...]) -> None:
    settings.CRAWL_MAX_FILE_BYTES = len(BOOK) - less
    told = verdicts(site)
    assert told["book.pdf"].startswith(state)
    assert told["large.html"] == "done"
