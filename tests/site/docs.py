"""A documentation site of known shape: what a crawl of it must find, and nothing else."""

from dataclasses import dataclass
from html import escape

from aiohttp import web

from tests.site.server import Answer, Route

SEED = "/docs/"
MISSING = "/docs/missing.html"
PRIVATE = "/docs/private/secret.html"
EXTERNAL = "https://external.example/elsewhere.html"
OUTSIDE = "/blog/post.html"
TOPICS = ("streams", "sockets", "queues", "leases", "indexes", "vectors", "tokens", "signals")


@dataclass(frozen=True)
class DocsPage:
    """`word` stands on this page and on no other; `links` are the paths of the site's pages it links to."""

    number: int
    path: str
    title: str
    word: str
    links: tuple[str, ...]


class DocsSite(dict[str, Route]):
    """The routes, and beside them what is true of them: `pages` are exactly those a crawl from `seed` must store."""

    def __init__(self, pages: tuple[DocsPage, ...]) -> None:
        super().__init__({page.path: Answer(_html(page)) for page in pages})
        self.pages = pages
        self.seed = SEED
        self["/robots.txt"] = Answer("User-agent: *\nDisallow: /docs/private/\n", content_type="text/plain")
        self["/sitemap.xml"] = self._sitemap
        self["/llms.txt"] = self._llms
        self[PRIVATE] = "<h1>Secret</h1><p>robots.txt forbids this page: porcupine9999</p>"
        self[OUTSIDE] = "<h1>Blog</h1><p>Outside the documentation: armadillo9999</p>"

    def _sitemap(self, request: web.Request) -> Answer:
        urls = "".join(f"<url><loc>{escape(_absolute(request, page.path))}</loc></url>" for page in self.pages)
        text = f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'
        return Answer(text, content_type="application/xml")

    def _llms(self, request: web.Request) -> Answer:
        lines = [f"- [{page.title}]({_absolute(request, page.path)}): about {page.word}" for page in self.pages]
        return Answer("# Example Docs\n\n> Documentation.\n\n## Docs\n\n" + "\n".join(lines), content_type="text/plain")


def docs_site(pages: int) -> DocsSite:
    """So many pages, all reachable from the seed: a binary tree with links to the next page and back to the start.

    The first page also links to a page that is missing, to one that robots.txt forbids, to one outside the
    documentation and to another site.
    """
    return DocsSite(tuple(_page(number, pages) for number in range(pages)))


def _page(number: int, total: int) -> DocsPage:
    wanted = (0, 2 * number + 1, 2 * number + 2, number + 1)
    others = dict.fromkeys(other for other in wanted if other < total and other != number)
    topic = TOPICS[number % len(TOPICS)]
    title = "Example documentation" if number == 0 else f"Chapter {number}: {topic.title()}"
    return DocsPage(number, _path(number), title, f"zebrafish{number:04d}", tuple(map(_path, others)))


def _path(number: int) -> str:
    return SEED if number == 0 else f"{SEED}chapter-{number:04d}.html"


def _html(page: DocsPage) -> str:
    topic = TOPICS[page.number % len(TOPICS)]
    menu = "".join(f'<li><a href="{path}">{path}</a></li>' for path in page.links)
    extra = ""
    if page.number == 0:
        extra = "".join(f'<li><a href="{href}">{href}</a></li>' for href in (MISSING, PRIVATE, OUTSIDE, EXTERNAL))
    return f"""<!DOCTYPE html>
<html lang="en"><head><title>{page.title} — Example Docs</title>
<meta name="description" content="All about {topic}, chapter {page.number}."></head>
<body><nav><ul>{menu}{extra}</ul></nav>
<main>
<h1 id="top">{page.title}<a class="headerlink" href="#top">¶</a></h1>
<p>This chapter explains {topic} and how the product uses them. Its own word is {page.word}.</p>
<section id="usage"><h2>Usage of {topic}</h2>
<p>Call <code>open_{topic}({page.number})</code> before anything else.</p>
<div class="highlight-python3"><div class="highlight"><pre><span>from</span> example import {topic}

with {topic}.open({page.number}) as {topic}_{page.number}:
    {topic}_{page.number}.run(limit={page.number + 1})
</pre></div></div></section>
<section id="options"><h2>Options</h2>
<table><thead><tr><th>Name</th><th>Meaning</th></tr></thead>
<tbody><tr><td>limit</td><td>How many {topic} to keep</td></tr>
<tr><td>depth</td><td>How far to go</td></tr></tbody></table>
<div class="admonition note"><p class="admonition-title">Note</p>
<p>Chapter {page.number} is part of the tests.</p></div>
</section>
</main><footer>Example Docs footer</footer></body></html>"""


def _absolute(request: web.Request, path: str) -> str:
    return f"http://{request.host}{path}"
