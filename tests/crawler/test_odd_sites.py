"""Small odd sites (tests/site/odd.py): a crawl finds what a person would, each page once, without what is around it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crawler import actions, slice
from crawler.models import CrawlJob
from knowledge.models import Document
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.site import LocalSite
from tests.site.odd import SITES

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def web() -> Iterator[LocalSite]:
    """All of them, each in a folder of its own."""
    with LocalSite(
        {f"/{name}/{path}": route for name, odd in SITES.items() for path, route in odd.routes.items()}
    ) as web:
        yield web


@pytest.mark.parametrize("name", SITES)
def test_an_odd_site_is_read_as_a_person_reads_it(web: LocalSite, name: str) -> None:
    odd, root = SITES[name], f"{web.url}/{name}/"
    request = actions.CrawlRequest(root, viewer=OPERATOR, max_depth=4)
    job = CrawlJob.objects.get(progress=actions.start(request).progress_id)
    while slice.run(job):
        pass
    assert Progress.objects.get(pk=job.progress_id).status == "completed"
    pages = {page.url.removeprefix(root): page for page in Document.objects.all()}
    stored = {odd.twins.get(path, path): page.markdown for path, page in pages.items() if page.alias_of_id is None}
    assert sorted(stored) == sorted(odd.says)
    assert len(pages) == len(odd.says) + len(odd.twins)
    for path, texts in odd.says.items():
        assert [text for text in texts if text not in stored[path]] == [], stored[path]
        assert [text for text in odd.chrome if text in stored[path]] == [], stored[path]


def test_a_refresh_looks_into_frames_again() -> None:
    def framed(page: str) -> str:
        return f"<title>Framed</title><frameset cols='20%,80%'><frame src={page}></frameset>"

    def read() -> set[str]:
        while slice.run(CrawlJob.objects.latest("pk")):
            pass
        return set(Document.objects.values_list("url", flat=True))

    home = "<title>Home</title><main><p>Here begins what is told in frames.</p><a href=framed.html>Read it</a></main>"
    told = {
        f"/{name}.html": f"<title>{name}</title><p>What the {name} page has to tell us.</p>" for name in ("old", "new")
    }
    with LocalSite({"/": home, "/framed.html": framed("old.html"), **told}) as web:
        actions.start(actions.CrawlRequest(f"{web.url}/", viewer=OPERATOR))
        assert read() == {f"{web.url}/", f"{web.url}/old.html"}
        web.routes["/framed.html"] = framed("new.html")
        actions.refresh(CrawlJob.objects.get().item.source_id, viewer=OPERATOR)
        assert f"{web.url}/new.html" in read()
