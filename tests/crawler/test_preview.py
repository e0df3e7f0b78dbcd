"""The dry run of a crawl: what it answers, and that it costs little and stores nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from crawler import frontier, preview
from crawler.models import CrawlJob, CrawlUrl
from knowledge.models import KnowledgeItem
from tests.site import Answer, DocsSite, LocalSite, docs_site

ROOT = Path(__file__).parents[2]


@pytest.fixture
def docs() -> DocsSite:
    return docs_site(12)


@pytest.fixture
def site(docs: DocsSite) -> Iterator[LocalSite]:
    with LocalSite(docs) as site:
        yield site


def asked(client: Client, url: str, **options: Any) -> Any:
    body = {"url": url, **options}
    return client.post("/api/knowledge-items/crawl/preview", body, content_type="application/json")


def verdicts(answer: Any) -> dict[str, str]:
    return {page["url"]: page["reason"] for page in answer["pages"]}


@pytest.mark.django_db
def test_a_preview_tells_what_a_crawl_would_begin_with(client: Client, docs: DocsSite, site: LocalSite) -> None:
    response = asked(client, f"{site.url}/docs/", exclude=["*chapter-0003*"])
    assert response.status_code == 200, response.content
    answer = response.json()
    assert (answer["kind"], answer["seed"], answer["truncated"]) == ("page", f"{site.url}/docs/", "")
    assert answer["scope"]["mode"] == "path"
    expected = {site.url + page.path: "ok" for page in docs.pages}
    expected[f"{site.url}/docs/chapter-0003.html"] = "excluded"
    found = verdicts(answer)
    assert expected.items() <= found.items()
    assert found[f"{site.url}/docs/private/secret.html"] == "robots"
    assert found[f"{site.url}/blog/post.html"] == "outside_path"
    assert found["https://external.example/elsewhere.html"] == "other_host"
    assert answer["pages"][0] == {
        "url": f"{site.url}/docs/",
        "title": "Example documentation",
        "depth": 0,
        "verdict": "crawl",
        "reason": "ok",
    }
    assert answer["counts"]["crawl"] == 12  # eleven pages and the link that nothing tells is dead
    assert answer["counts"]["robots"] == 1
    assert answer["robots"] == {"status": 200, "allowed": True, "crawl_delay": None, "sitemaps": []}
    assert any(note.startswith("Pages named by ") and note.endswith(": 12") for note in answer["notes"])


@pytest.mark.django_db
def test_a_preview_stores_nothing(client: Client, site: LocalSite) -> None:
    assert asked(client, f"{site.url}/docs/").status_code == 200
    assert not CrawlJob.objects.exists()
    assert not CrawlUrl.objects.exists()
    assert not KnowledgeItem.objects.exists()
    assert len(site.paths) <= preview.MAX_REQUESTS


@pytest.mark.django_db
def test_the_page_limit_and_the_variants_show_in_the_verdicts(
    client: Client, site: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontier, "MAX_QUERY_VARIANTS", 3)
    links = "".join(f'<a href="/docs/list?page={n}">{n}</a>' for n in range(9))
    site.routes = {"/docs/": f"<h1>List</h1><p>Text</p>{links}"}
    answer = asked(client, f"{site.url}/docs/").json()
    assert (answer["counts"]["crawl"], answer["counts"]["query_variants"]) == (4, 6)
    answer = asked(client, f"{site.url}/docs/", max_pages=2).json()
    assert (answer["counts"]["crawl"], answer["counts"]["max_pages"]) == (2, 2)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "route", "kind", "pages"),
    [
        ("/llms.txt", Answer("# P\n- [A](/a.md)\n- [B](/b.md)", content_type="text/plain"), "llms_txt", 3),
        ("/llms-full.txt", Answer("# A\n[x](/x)\n# B\n", content_type="text/plain"), "llms_full_txt", 1),
        ("/readme.md", Answer("# Readme\n[x](/x)\n", content_type="text/markdown"), "text", 1),
        (
            "/sitemap.xml",
            Answer("<urlset><url><loc>/a</loc></url></urlset>", content_type="application/xml"),
            "sitemap",
            1,
        ),
    ],
)
def test_other_kinds_of_seeds_are_recognised(
    client: Client, site: LocalSite, path: str, route: Answer, kind: str, pages: int
) -> None:
    site.routes = {path: route}
    answer = asked(client, site.url + path).json()
    assert (answer["kind"], len(answer["pages"])) == (kind, pages), answer


@pytest.mark.django_db
@pytest.mark.parametrize("redirected", [False, True])
def test_a_site_that_leads_to_a_sign_in_form_is_told_with_the_next_step(
    client: Client, site: LocalSite, redirected: bool
) -> None:
    form = "<h1>Sign in</h1><form><input type=password></form><a href='/docs/help'>Help</a>"
    site.routes = {"/docs/": form}
    if redirected:
        site.routes = {"/docs/": Answer("", 302, {"Location": "/docs/login"}), "/docs/login": form}
    answer = asked(client, f"{site.url}/docs/").json()
    seed = f"{site.url}/docs/login" if redirected else f"{site.url}/docs/"
    assert verdicts(answer) == {seed: "sign_in", f"{site.url}/docs/help": "ok"}
    assert answer["counts"] == {"crawl": 1, "skip": 1, "sign_in": 1}
    (warning,) = answer["warnings"]
    assert warning.startswith(f"{site.url}/docs/ shows a sign-in form and next to nothing else. ")
    assert "upload them" in warning


@pytest.mark.django_db
def test_a_page_with_a_form_beside_its_text_gives_no_warning(client: Client, site: LocalSite) -> None:
    site.routes = {"/docs/": f"<h1>Docs</h1><p>{'What it is. ' * 50}</p><input type=password>"}
    answer = asked(client, f"{site.url}/docs/").json()
    assert (answer["warnings"], answer["counts"]["crawl"]) == ([], 1)


@pytest.mark.django_db
def test_robots_txt_that_forbids_the_seed_is_the_answer(client: Client, site: LocalSite) -> None:
    robots = "User-agent: *\nDisallow: /\nCrawl-delay: 7\nSitemap: /s.xml"
    site.routes["/robots.txt"] = Answer(robots, content_type="text/plain")
    answer = asked(client, f"{site.url}/docs/").json()
    assert verdicts(answer) == {f"{site.url}/docs/": "robots"}
    assert answer["robots"] == {"status": 200, "allowed": False, "crawl_delay": 7.0, "sitemaps": ["/s.xml"]}
    assert site.paths == ["/robots.txt"]
    assert asked(client, f"{site.url}/docs/", respect_robots=False).json()["counts"]["crawl"] > 1


@pytest.mark.django_db
def test_robots_txt_that_leads_to_a_forbidden_place_is_none(client: Client, site: LocalSite) -> None:
    site.routes["/robots.txt"] = Answer("", status=302, headers={"Location": "http://10.0.0.1/robots.txt"})
    assert asked(client, f"{site.url}/docs/").json()["robots"]["status"] == 404


@pytest.mark.django_db
def test_the_scope_follows_a_redirect_of_the_seed(client: Client, site: LocalSite) -> None:
    site.routes["/start"] = Answer("", status=302, headers={"Location": "/docs/"})
    answer = asked(client, f"{site.url}/start").json()
    assert answer["seed"] == answer["scope"]["seed"] == f"{site.url}/docs/"
    assert answer["counts"]["crawl"] == 13
    assert any("leads to" in note for note in answer["notes"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("", 422, "url_missing"),
        ("http://10.0.0.1/", 422, "address_forbidden"),
        ("http://127.0.0.1:9/", 422, "connect_failed"),
        ("{site}/missing.html", 422, "http_status"),
        ("{site}/feed.xml", 422, "unsupported_type"),
    ],
)
def test_a_seed_that_cannot_be_had_is_refused_by_name(
    client: Client, site: LocalSite, url: str, status: int, code: str
) -> None:
    site.routes["/feed.xml"] = Answer("<rss/>", content_type="application/rss+xml")
    response = asked(client, url.format(site=site.url))
    assert (response.status_code, response.json()["detail"]["code"]) == (status, code)


@pytest.mark.django_db
def test_our_own_ports_are_closed_to_previews(client: Client) -> None:
    response = asked(client, f"http://127.0.0.1:{django_settings.PORT}/")
    assert response.json()["detail"]["code"] == "address_forbidden"


@pytest.mark.django_db
def test_no_site_gets_more_requests_than_the_limit(client: Client, site: LocalSite) -> None:
    def hop(request: Any) -> Answer:
        step = int(request.query.get("step", 0))
        if step < 2:
            return Answer("", status=302, headers={"Location": f"{request.path}?step={step + 1}"})
        return Answer("<urlset></urlset>", content_type="application/xml")

    maps = {f"/s{n}.xml": hop for n in range(60)}
    listed = "".join(f"<sitemap><loc>{path}</loc></sitemap>" for path in maps)
    index = Answer(f"<sitemapindex>{listed}</sitemapindex>", content_type="application/xml")
    site.routes |= {**maps, "/sitemap.xml": index}
    site.forget()
    answer = asked(client, f"{site.url}/docs/").json()
    assert len(site.paths) <= preview.MAX_REQUESTS
    assert answer["truncated"] == "requests"


@pytest.mark.django_db
@pytest.mark.parametrize("slow", ["/robots.txt", "/docs/", "/sitemap.xml"])
def test_a_slow_site_is_given_up(client: Client, site: LocalSite, slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "PREVIEW_SECONDS", 2.0)
    monkeypatch.setattr(preview, "SEED_SECONDS", 0.7)
    site.routes[slow] = Answer("x", delay=20)
    started = time.monotonic()
    response = asked(client, f"{site.url}/docs/")
    assert time.monotonic() - started < 15
    answer = response.json()
    if slow == "/sitemap.xml":
        assert answer["counts"]["crawl"] == 13  # by llms.txt
    elif slow == "/docs/":
        assert answer["detail"]["code"] == "timeout"
    else:
        assert verdicts(answer) == {f"{site.url}/docs/": "robots_unreachable"}


def test_a_preview_loads_no_engine() -> None:
    code = """
import sys, django
django.setup()
from crawler.actions import CrawlRequest
from crawler.preview import preview
from progress.viewer import OPERATOR
from tests.site import LocalSite, docs_site
with LocalSite(docs_site(3)) as site:
    assert preview(CrawlRequest(f"{site.url}/docs/", viewer=OPERATOR)).counts["crawl"] == 4
print([name for name in ("crawl4ai", "playwright", "litellm") if name in sys.modules])
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "archon.settings"}
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert (found.returncode, found.stdout.strip()) == (0, "[]"), found.stderr
