"""Sites that offer their pages as Markdown: read as such, each page once, under its own address."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from django.test import Client

from crawler import actions
from crawler.models import CrawlUrl
from crawler.twins import pages_of, paired
from knowledge.models import Document
from progress.viewer import OPERATOR
from tests.crawler.test_files import crawl, plain, refresh, run, verdicts
from tests.site import Answer, LocalSite

HOME = '<h1>Home</h1><p>Text.</p><a href="guide">g</a><a href="api.html">a</a><a href="plain.html">p</a>'


def markdown(text: str) -> Answer:
    return Answer(text, content_type="text/markdown")


def twin_site() -> dict[str, Any]:
    names = ("index.md", "guide.md", "api.html.md", "only.md", "gone.md")
    return {
        "/docs/": HOME,
        "/docs/guide": '<h1>Guide</h1><p>By HTML.</p><a href="/docs/only">o</a><a href="/docs/guide.md">md</a>',
        "/docs/api.html": "<h1>API</h1><p>By HTML.</p>",
        "/docs/plain.html": '<h1>Plain</h1><p>Has no twin.</p><a href="only">o</a>',
        "/docs/only": "<h1>Only</h1><p>By HTML.</p>",
        "/docs/gone": "<h1>Gone</h1><p>Its Markdown is missing.</p>",
        "/llms.txt": plain("# Docs\n\n" + "\n".join(f"- [{name}](/docs/{name})" for name in names)),
        "/sitemap.xml": Answer("<urlset><url><loc>/docs/gone</loc></url></urlset>", content_type="application/xml"),
        "/docs/index.md": markdown("# Home\n\nBy Markdown."),
        "/docs/guide.md": markdown("# Guide\n\nBy Markdown. [api](/docs/api.html)"),
        "/docs/api.html.md": markdown("# API\n\nBy Markdown."),
        "/docs/only.md": markdown("# Only\n\nBy Markdown."),
    }


@pytest.mark.django_db(transaction=True)
def test_the_markdown_that_llms_txt_names_is_read_in_place_of_the_page(client: Client) -> None:
    with LocalSite(twin_site()) as site:
        root = f"{site.url}/docs/"
        job = crawl(root, max_depth=5)
        texts = {one.url.removeprefix(root): one.markdown for one in Document.objects.filter(item=job.item)}
        assert {url: "By Markdown" in text for url, text in texts.items()} == {
            "": False,
            "guide": True,
            "api.html": True,
            "plain.html": False,
            "only.md": True,
            "gone": False,
        }
        assert "/docs/index.md" not in site.paths
        assert "/docs/only" not in site.paths
        assert all(verdict.startswith("done") for verdict in verdicts(job, root).values())
        assert any(
            line.startswith("Pages whose Markdown ") and line.endswith(" names: 5") for line in job.progress.logs
        )

        site.forget()
        again = refresh(job)
        assert verdicts(again, root).keys() == verdicts(job, root).keys()
        assert set(verdicts(again, root).values()) == {"done unchanged"}
        assert Document.objects.filter(item=job.item).count() == 6
        assert CrawlUrl.objects.get(job=again, url=f"{root}guide").http_status == 304


@pytest.mark.django_db(transaction=True)
def test_a_server_that_prefers_to_send_markdown_is_asked_for_it() -> None:
    def negotiating(name: str) -> Any:
        def answer(request: web.Request) -> Answer:
            if request.headers["Accept"].startswith("text/markdown"):
                return markdown(f"# {name}\n\nBy Markdown.")
            return Answer(f'<h1>{name}</h1><p>By HTML.</p><a href="/docs/b">b</a>')

        return answer

    with LocalSite({"/docs/": negotiating("A"), "/docs/b": negotiating("B"), "/llms.txt": plain("# Docs")}) as site:
        job = crawl(f"{site.url}/docs/")
        texts = {one.title: "By Markdown" in one.markdown for one in Document.objects.filter(item=job.item)}
        assert texts == {"A": False, "B": True}  # the start as HTML: its menu leads to the rest
        assert job.discovery["negotiates"] is True


@pytest.mark.django_db(transaction=True)
def test_a_site_without_llms_txt_is_not_asked_for_markdown() -> None:
    routes: dict[str, Any] = {
        "/docs/": '<h1>A</h1><p>x</p><a href="notes.md">n</a><a href="notes.html">m</a>',
        "/docs/notes.md": markdown("# Notes\n\nThe source."),
        "/docs/notes.html": "<h1>Notes</h1><p>Something else.</p>",
    }
    with LocalSite(routes) as site:
        job = crawl(f"{site.url}/docs/")
        assert Document.objects.filter(item=job.item).count() == 3
        assert site.paths.count("/docs/") == 1


@pytest.mark.django_db(transaction=True)
def test_a_retry_of_a_page_with_a_twin_asks_for_its_twin_again() -> None:
    with LocalSite(twin_site()) as site:
        site.routes["/docs/api.html.md"] = Answer("not now", 503)
        root = f"{site.url}/docs/"
        started = actions.start(actions.CrawlRequest(root, viewer=OPERATOR))
        CrawlUrl.objects.update(attempts=0)
        job = run(started.progress_id)
        while not job.progress.ended:
            CrawlUrl.objects.filter(job=job, state="queued").update(attempts=2, next_at=job.created_at)
            job = run(started.progress_id)
        assert verdicts(job, root)["api.html"] == "failed http_status"
        site.routes["/docs/api.html.md"] = markdown("# API\n\nBy Markdown.")
        again = run(actions.retry_failed(job.progress_id, viewer=OPERATOR).progress_id)
        assert verdicts(again, root)["api.html"] == "done new"
        assert "By Markdown" in Document.objects.get(url=f"{root}api.html").markdown


@pytest.mark.parametrize(
    ("url", "pages"),
    [
        ("https://e.com/docs/a.md", ["/docs/a", "/docs/a/", "/docs/a.html"]),
        ("https://e.com/docs/a.html.md", ["/docs/a.html"]),
        ("https://e.com/docs/index.md", ["/docs/", "/docs/index.html", "/docs/index"]),
        ("https://e.com/index.html.md", ["/", "/index.html", "/index"]),
        ("https://e.com/a.md?x=1", []),
        ("https://e.com/a.html", []),
    ],
)
def test_the_page_of_a_markdown_file_is_where_the_conventions_put_it(url: str, pages: list[str]) -> None:
    assert list(pages_of(url)) == [f"https://e.com{page}" for page in pages]


def test_pages_are_paired_with_the_markdown_that_exists() -> None:
    pages = ["https://e.com/a", "https://e.com/b.html", "https://e.com/c"]
    assert paired(pages, {"https://e.com/a.md", "https://e.com/b.html.md", "https://e.com/x.md"}) == {
        "https://e.com/a": "https://e.com/a.md",
        "https://e.com/b.html": "https://e.com/b.html.md",
    }
