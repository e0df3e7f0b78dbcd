"""An example documentation site on loopback, and what must be true of a crawl of it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.site import Answer, DocsSite, LocalSite, docs_site

# The first page also links to one page that is missing and to one that robots.txt forbids.
MISSING = 1
FORBIDDEN = 1


@dataclass
class Served:
    docs: DocsSite
    site: LocalSite

    @property
    def url(self) -> str:
        return self.site.url + self.docs.seed

    @property
    def page_urls(self) -> list[str]:
        return [self.site.url + page.path for page in self.docs.pages]

    def word(self, number: int) -> str:
        return self.docs.pages[number].word

    def fetched(self) -> Counter[str]:
        """How often each page of the site was asked for."""
        pages = {page.path for page in self.docs.pages}
        return Counter(path for path in self.site.paths if path in pages)

    def break_pages(self, numbers: Sequence[int], status: int = 404) -> None:
        for number in numbers:
            self.site.routes[self.docs.pages[number].path] = Answer("gone", status=status)

    def rewrite(self, url: str) -> None:
        """The page at this URL says something else from now on."""
        path = url.removeprefix(self.site.url)
        answer = self.site.routes[path]
        assert isinstance(answer, Answer)
        body = str(answer.body).replace("</main>", "<p>Written anew.</p></main>")
        assert body != answer.body
        self.site.routes[path] = replace(answer, body=body)

    def repair(self) -> None:
        self.site.routes.update(self.docs)


@contextlib.contextmanager
def served(pages: int, *, delay: float = 0, broken: Sequence[int] = (), port: int = 0) -> Iterator[Served]:
    """`delay` seconds before each page; `broken` pages answer 404 until `repair`."""
    docs = docs_site(pages)
    for page in docs.pages:
        answer = docs[page.path]
        assert isinstance(answer, Answer)
        docs[page.path] = replace(answer, delay=delay)
    with LocalSite(docs, port=port) as site:
        example = Served(docs, site)
        example.break_pages(broken)
        yield example
