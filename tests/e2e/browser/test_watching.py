"""A crawl as a person sees it: add a source, watch it, reload, lose the server, cancel, search."""

from __future__ import annotations

import re
import threading

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser.chromium import visit
from tests.e2e.served import MISSING, served
from tests.stack import Stack
from tests.test_webhooks import Receiver

SOON = 30_000


def add_source(page: Page, stack: Stack, url: str) -> None:
    page.goto(f"{stack.url}/add")
    page.get_by_label("Address").fill(url)
    page.get_by_role("group", name="Depth").get_by_text("5", exact=True).click()
    page.get_by_role("button", name="Start crawl").click()
    expect(page).to_have_url(re.compile(r"/crawls/[\w-]+$"))


def percentage(page: Page) -> int:
    text = page.get_by_role("progressbar", name="Crawl progress").get_attribute("aria-valuetext") or "0"
    return int(text.partition("%")[0])


def wait_for_pages(page: Page, least: int) -> None:
    page.wait_for_function(
        """least => {
             const said = document.querySelector('[role=progressbar]')?.getAttribute('aria-valuetext') ?? '';
             return Number(/(\\d+) (?:of|pages?)/.exec(said)?.[1] ?? 0) >= least;
           }""",
        arg=least,
        timeout=SOON,
    )


def progress_status(page: Page) -> str:
    return page.locator(".crawl-status [role=status]").first.inner_text()


def test_a_source_is_added_watched_and_found(stack: Stack, browser: Browser) -> None:
    with served(pages=30, delay=0.02) as site, visit(browser) as visited:
        page = visited.page
        add_source(page, stack, site.url)
        wait_for_pages(page, 3)
        expect(page.locator(".connection-state")).to_have_text("Connected")
        expect(page.get_by_text("Crawl completed", exact=False).first).to_be_visible(timeout=SOON)
        assert percentage(page) == 100
        expect(page.get_by_role("link", name=re.compile(r"Failed\s*1"))).to_be_visible()

        page.get_by_role("link", name="Search in it").click()
        page.get_by_role("searchbox").fill(site.word(7))
        page.keyboard.press("Enter")
        expect(page.locator(".result mark").first).to_have_text(site.word(7))
        assert visited.complaints == []


@pytest.mark.whole
def test_a_reload_in_the_middle_shows_the_same_and_goes_on(stack: Stack, browser: Browser) -> None:
    with served(pages=60, delay=0.1) as site, visit(browser) as visited:
        page = visited.page
        add_source(page, stack, site.url)
        wait_for_pages(page, 15)
        before, lines = percentage(page), page.locator(".log-lines li").all_inner_texts()
        address = page.url
        page.reload()
        expect(page.locator(".log-lines li").first).to_have_text(lines[0])
        assert page.url == address
        assert percentage(page) >= before
        assert page.locator(".log-lines li").all_inner_texts()[: len(lines)] == lines
        expect(page.get_by_text("Crawl completed", exact=False).first).to_be_visible(timeout=SOON)
        assert visited.complaints == []


@pytest.mark.whole
def test_the_server_may_die_in_the_middle(stack: Stack, browser: Browser) -> None:
    """The badge says so, nothing blocks the page, and it recovers without a touch."""
    with served(pages=80, delay=0.2) as site, visit(browser) as visited:
        page = visited.page
        add_source(page, stack, site.url)
        wait_for_pages(page, 10)
        badge = page.locator(".connection-state")
        stack.kill("web")
        expect(badge).to_have_text("Disconnected")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert visited.executed() == []
        shown = percentage(page)
        stack.spawn("web")
        expect(badge).to_have_text("Connected", timeout=SOON)
        wait_for_pages(page, 40)
        assert percentage(page) >= shown
        expect(page.get_by_text("Crawl completed", exact=False).first).to_be_visible(timeout=2 * SOON)
        expect(page.locator(".fact", has_text="Pages").first).to_contain_text(f"{80 + MISSING}")


@pytest.mark.whole
def test_a_crawl_is_cancelled_by_two_clicks_and_two_tabs_agree(stack: Stack, browser: Browser) -> None:
    with served(pages=200, delay=1) as site, visit(browser) as visited:
        page = visited.page
        add_source(page, stack, site.url)
        other = visited.context.new_page()
        other.goto(page.url)
        wait_for_pages(other, 5)
        page.get_by_role("button", name="Cancel crawl").click()
        page.get_by_role("button", name="Click again to cancel").click()
        for tab in (page, other):
            expect(tab.get_by_text("The crawl was cancelled")).to_be_visible(timeout=SOON)
        figures = [tab.locator(".fact").first.inner_text() for tab in (page, other)]
        assert figures[0] == figures[1]
        page.reload()
        expect(page.get_by_text("The crawl was cancelled")).to_be_visible()
        assert visited.complaints == []


@pytest.mark.whole
def test_the_list_of_sources_is_live(stack: Stack, browser: Browser) -> None:
    with served(pages=4) as site, visit(browser, stack.url) as visited:
        expect(visited.page.locator(".connection-state")).to_have_text("Connected")
        stack.ended(stack.crawl(site.url))
        expect(visited.page.get_by_text(site.url.removeprefix("http://").rstrip("/")).first).to_be_visible(timeout=SOON)
        assert visited.complaints == []


@pytest.mark.whole
def test_an_answer_streams_and_its_citation_opens_the_passage(stack: Stack, browser: Browser) -> None:
    with served(pages=12) as site:
        stack.ended(stack.crawl(site.url, max_depth=5))
        word = site.word(5)
    with visit(browser, f"{stack.url}/chat") as visited:
        page = visited.page
        page.get_by_label("Question").fill(f"What does the page about {word} explain?")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/chat/.+"))
        page.get_by_role("button", name=re.compile(r"^Passage \d")).first.click(timeout=SOON)
        expect(page.locator("details[open] blockquote")).to_contain_text("chapter")
        page.reload()
        expect(page.get_by_role("article", name="Answer")).to_be_visible()
        page.locator(".citation summary").first.click()
        page.get_by_role("link", name="Read the page here").first.click()
        expect(page.locator(".prose")).to_contain_text("chapter")
        assert visited.complaints == []


@pytest.mark.whole
def test_a_call_of_an_assistant_appears_in_the_log_at_once(stack: Stack, browser: Browser) -> None:
    with visit(browser, f"{stack.url}/assistants") as visited:
        expect(visited.page.locator(".connection-state")).to_have_text("Connected")
        headers = {"Accept": "application/json, text/event-stream"}
        client = {"name": "e2e-client", "version": "1"}
        opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": opening}
        assert stack.request("POST", "/mcp", body, headers)[0] == 200
        expect(visited.page.locator(".mcp-record", has_text="e2e-client").first).to_be_visible(timeout=SOON)
        assert visited.complaints == []


@pytest.mark.whole
def test_a_preview_shows_what_would_be_crawled_and_a_click_excludes(stack: Stack, browser: Browser) -> None:
    with served(pages=8) as site, visit(browser, f"{stack.url}/add") as visited:
        page = visited.page
        page.get_by_label("Address").fill(site.url)
        page.get_by_role("button", name="Preview").click()
        rows = page.get_by_role("region", name="Preview").get_by_role("listitem")
        expect(rows.filter(has_text="chapter-0001.html")).to_contain_text("Taken", timeout=SOON)
        rows.filter(has_text="chapter-0001.html").get_by_role("button").click()
        expect(page.get_by_label("Exclude", exact=True)).to_have_value("/docs/chapter-0001.html")
        page.get_by_role("button", name="Preview").click()
        expect(rows.filter(has_text="chapter-0001.html")).to_contain_text("exclude pattern", timeout=SOON)
        assert visited.axe() == []
        assert visited.complaints == []


@pytest.mark.whole
def test_files_are_uploaded_and_read(stack: Stack, browser: Browser) -> None:
    with visit(browser, f"{stack.url}/add?from=files") as visited:
        page = visited.page
        text = b"# Notes\n\nThe word is quokka4711.\n"
        page.get_by_label("Files").set_input_files({"name": "notes.md", "mimeType": "text/markdown", "buffer": text})
        page.get_by_role("button", name="Upload 1 file").click()
        expect(page).to_have_url(re.compile(r"/crawls/"))
        expect(page.get_by_role("list", name="Files")).to_contain_text("notes.md", timeout=SOON)
        expect(page.locator(".crawl-status")).to_contain_text("Completed", timeout=SOON)
        page.goto(f"{stack.url}/search?q=quokka4711")
        expect(page.locator(".result mark").first).to_have_text("quokka4711")


@pytest.mark.whole
def test_a_crawl_is_paused_and_resumed(stack: Stack, browser: Browser) -> None:
    with served(pages=60, delay=0.1) as site, visit(browser) as visited:
        page = visited.page
        add_source(page, stack, site.url)
        wait_for_pages(page, 5)
        page.get_by_role("button", name="Pause", exact=True).click()
        expect(page.locator(".crawl-status")).to_contain_text("Paused", timeout=SOON)
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_text("Crawl completed", exact=False).first).to_be_visible(timeout=SOON)


@pytest.mark.whole
@pytest.mark.usefixtures("axe")
def test_a_webhook_is_made_tested_and_deleted(stack: Stack, browser: Browser) -> None:
    with Receiver() as receiver, visit(browser, f"{stack.url}/settings/webhooks") as visited:
        listening = threading.Thread(target=receiver.serve_forever, daemon=True)
        listening.start()
        page = visited.page
        page.get_by_label("Address of the new webhook").fill(receiver.url)
        page.get_by_role("button", name="Add webhook").click()
        expect(page.get_by_text("Copy its secret now", exact=False)).to_be_visible()
        page.get_by_role("button", name=f"Send a test to {receiver.url}").click()
        expect(page.get_by_role("row").filter(has_text="Delivered")).to_contain_text("Test", timeout=SOON)
        assert ["event" in body for _, body in receiver.calls] == [True]
        assert visited.axe() == []
        page.get_by_role("button", name=f"Delete {receiver.url}").click()
        page.get_by_role("button", name="Delete?").click()
        expect(page.get_by_text("Nobody is told yet")).to_be_visible()
        assert (visited.complaints, visited.refused_requests) == ([], [])
        receiver.shutdown()
        listening.join()
