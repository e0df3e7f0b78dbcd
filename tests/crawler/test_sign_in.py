"""Sites that want to know who asks: their form is no page, and a crawl that got nothing else says so."""

from __future__ import annotations

import pytest

from crawler import actions, slice
from crawler.models import CrawlJob, CrawlUrl
from crawler.sign_in import asks_to_sign_in
from knowledge.models import Document
from progress.models import Progress
from progress.viewer import OPERATOR
from tests.cpu import times_as_much
from tests.site import Answer, LocalSite, docs_site
from tests.site.server import Route

FORM = '<form method="post"><input name="user"><input name="pw" type="password"><button>Sign in</button></form>'
PAGE = f"<title>Sign in · Wiki</title><h1>Sign in</h1>{FORM}<p><a href='/help'>Help</a> Terms apply.</p>"
BARE = f"<title>ACME</title>{FORM}"
TEXT = "<p>" + "This page says how the thing is built and run. " * 20 + "</p>"


def crawl(url: str) -> Progress:
    return run(actions.start(actions.CrawlRequest(url, viewer=OPERATOR)).progress_id)


def run(progress_id: str) -> Progress:
    job = CrawlJob.objects.get(progress=progress_id)
    while slice.run(job):
        pass
    return Progress.objects.get(pk=progress_id)


def redirect(to: str) -> Answer:
    return Answer("", 302, {"Location": to})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("form", [PAGE, BARE, f"<meta name='robots' content='noindex'>{PAGE}"])
@pytest.mark.parametrize("redirected", [False, True])
def test_a_crawl_that_got_nothing_but_a_sign_in_form_failed_and_says_so(form: str, redirected: bool) -> None:
    routes: dict[str, Route]
    routes = {"/docs/": redirect("/login?next=/docs/"), "/login": form} if redirected else {"/docs/": form}
    with LocalSite(routes) as site:
        row = crawl(f"{site.url}/docs/")
    assert (row.status, row.error["code"], row.skipped_pages) == ("failed", "sign_in_required", 1)
    assert row.error["message"] == f"{site.url}/docs/ shows a sign-in form and next to nothing else."
    assert "upload them" in row.error["hint"]
    assert not Document.objects.exists()
    assert any("sign-in form" in line for line in row.logs)


@pytest.mark.django_db(transaction=True)
def test_a_site_whose_first_page_alone_is_public_says_so() -> None:
    pages = [f"/docs/{number}.html" for number in range(3)]
    links = "".join(f'<a href="{page}">{page}</a>' for page in pages)
    closed = {page: redirect("/login") for page in pages}
    with LocalSite({"/docs/": f"<h1>Docs</h1>{TEXT}{links}", "/login": PAGE, **closed}) as site:
        row = crawl(f"{site.url}/docs/")
    assert row.status == "completed"
    assert "3 addresses lead to a sign-in form" in row.log
    assert "upload them" in row.log
    assert Document.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_documentation_with_a_link_to_its_sign_in_page_gives_no_alarm() -> None:
    docs = docs_site(5)
    first = docs.pages[0].path
    linked = {first: f"<h1>Docs</h1>{TEXT}<a href='{first}login'>Sign in</a><a href='{docs.pages[1].path}'>more</a>"}
    with LocalSite({**docs, **linked, f"{first}login": PAGE}) as site:
        row = crawl(f"{site.url}{first}")
    assert (row.status, row.failed_pages) == ("completed", 0)
    assert "sign" not in row.log
    assert CrawlUrl.objects.get(reason="sign_in").url == f"{site.url}{first}login"
    assert not Document.objects.filter(url__endswith="login").exists()


@pytest.mark.django_db(transaction=True)
def test_a_refresh_that_meets_a_sign_in_form_keeps_what_it_had() -> None:
    """Two refreshes: a page that led elsewhere twice is removed otherwise."""
    docs = docs_site(4)
    with LocalSite(docs) as site:
        first = crawl(f"{site.url}/docs/")
        before = set(Document.objects.values_list("url", "content_hash"))
        for page in docs.pages:
            site.routes[page.path] = redirect("/login") if page.path != "/docs/" else PAGE
        site.routes["/login"] = PAGE
        for _ in range(2):
            job = CrawlJob.objects.get(progress=first.pk)
            row = run(actions.refresh(job.item.source_id, viewer=OPERATOR).progress_id)
            assert (row.status, row.error["code"]) == ("failed", "sign_in_required")
    assert set(Document.objects.values_list("url", "content_hash")) == before


@pytest.mark.parametrize(
    ("html", "url", "title", "markdown"),
    [
        (f"<h1>Wiki</h1>{FORM}", "https://e.example/wiki/", "Wiki", "x" * 301),
        (PAGE, "https://e.example/login", "Sign in", "x" * 2_001),
        ("<h1>Sign in</h1><p>How to.</p>", "https://e.example/docs/sign-in", "Sign in", "How to."),
        ("<input type=text name=password-hint>", "https://e.example/docs/login", "Login", "Text."),
        ("<p>&lt;input type=password&gt;</p>", "https://e.example/login", "Login", "Text."),
    ],
)
def test_a_page_with_something_to_say_is_a_page(html: str, url: str, title: str, markdown: str) -> None:
    assert not asks_to_sign_in(html, url, title, markdown)


def test_links_are_no_text() -> None:
    menu = "".join(f"[{number}](https://e.example/a/long/address/of/a/page/{number})" for number in range(30))
    assert asks_to_sign_in(PAGE, "https://e.example/", "ACME", menu)


def test_tags_without_an_end_cost_no_more_than_others() -> None:
    def looked_at(tag: str) -> bool:
        return asks_to_sign_in(tag * 20_000, "https://e.example/", "", "")

    assert times_as_much(lambda: looked_at("<input "), lambda: looked_at("<input>")) < 50
