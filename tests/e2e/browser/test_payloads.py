"""Crawled pages that try to run scripts, shown on every screen of the dashboard and of Django's admin: none runs."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import payloads
from tests.e2e.browser.chromium import Visit, visit
from tests.site import LocalSite
from tests.stack import Stack, eventually

# Hundreds of pages on some ten screens take minutes.
pytestmark = pytest.mark.timeout(1_200)

MANY, FEW = 300, len(payloads.FORMS)
ADMIN = (
    "knowledge/knowledgeitem",
    "knowledge/document",
    "knowledge/chunk",
    "crawler/crawljob",
    "crawler/crawlurl",
    "progress/progress",
    "progress/progressevent",
    "progress/logrecord",
)


@pytest.fixture(scope="module")
def count(whole: bool) -> int:
    return MANY if whole else FEW


@pytest.fixture(scope="module")
def crawled(stack: Stack, count: int) -> tuple[str, str]:
    """Progress id and source id of a crawl of the payloads."""
    tag = "<img src=x onerror=alert(1)>"
    with LocalSite(payloads.routes(count)) as site:
        progress_id = stack.crawl(site.url + payloads.START, max_depth=2, max_pages=count + 1, tags=[tag])
        ended = stack.ended(progress_id)
        site.routes.update(payloads.pages(count, edition=1))
        refreshed = stack.request("POST", f"/api/knowledge-items/{ended['sourceId']}/refresh")[1]["progressId"]
        assert stack.ended(refreshed)["status"] == "completed"
    assert ended["status"] == "completed", ended
    assert ended["processedPages"] - ended["failedPages"] >= count * 0.95
    return progress_id, ended["sourceId"]


def rewritten(stack: Stack, source_id: str) -> list[dict[str, Any]]:
    """The pages that say something else since the refresh."""
    listed = stack.get(f"/api/knowledge-items/{source_id}/changes?limit=1000")["changes"]
    return [page for page in listed if page["has_diff"]]


def ran(visited: Visit, address: str, settled: str) -> list[str]:
    """What ran, or tried to and was stopped by the policy alone, at this address."""
    visited.page.goto(address)
    visited.page.locator(settled).first.wait_for(state="attached")
    return [f"{address}: {what}" for what in visited.executed() + visited.refused()]


def test_the_dashboard_runs_no_script_of_a_page(
    stack: Stack, browser: Browser, crawled: tuple[str, str], whole: bool
) -> None:
    progress_id, source_id = crawled
    stored = stack.get(f"/api/pages?source_id={source_id}&limit=1000")
    source = f"/sources/{source_id}"
    chunks = stack.get(f"/api/knowledge-items/{source_id}/chunks?limit=1")["total"]
    examples = stack.get(f"/api/knowledge-items/{source_id}/code-examples?limit=1")["total"]
    words = [f"hedgehog{number:03d}" for number in range(0, len(stored["pages"]), 10)]
    changed = [page["page_id"] for page in rewritten(stack, source_id)]
    assert len(changed) >= 0.9 * (stored["total"] - 1)  # the first page, which leads to the others, stays as it is
    screens = [
        *((f"{source}/changes/{page_id}", ".diff-line") for page_id in changed),
        *((f"{source}/pages/{page['id']}", ".prose") for page in stored["pages"]),
        *((f"{source}?page={number}", ".row-link") for number in range(1, stored["total"] // 50 + 1)),
        *((f"{source}/chunks?page={number + 1}", ".chunk-text") for number in range((chunks + 19) // 20)),
        *((f"/search?q={word}", ".result") for word in words),
        *((f"{source}/code?page={number + 1}", ".example-code") for number in range((examples + 19) // 20)),
        (f"{source}/changes", ".change"),
        (f"{source}/edit", "form"),
        (f"/crawls/{progress_id}", ".crawled-url"),
        (f"/crawls/{progress_id}?view=hosts", ".host"),
        ("/", ".card"),
        ("/?view=table", ".source-cell"),
        ("/assistants", ".mcp-snippet"),
        ("/system", ".health-part"),
        ("/settings/variables", ".variable"),
    ]
    with visit(browser) as visited:
        found = [what for path, settled in screens for what in ran(visited, stack.url + path, settled)]
        if whole:  # asking needs the worker for each question
            for word in words[:10]:
                stack.request("POST", f"/api/chat/sessions/{word}/messages", {"message": f"What is payload {word}?"})
                messages = f"/api/chat/sessions/{word}"
                eventually(lambda at=messages: stack.get(at)["messages"][-1]["state"] != "streaming")  # type: ignore[misc]
                found += ran(visited, f"{stack.url}/chat/{word}", ".answer")
        assert visited.page.locator("img, script[src*='127.0.0.1:1/'], iframe").count() == 0
        assert [said for said in visited.complaints if said.startswith("pageerror")] == []
    assert found == []


def test_the_admin_runs_no_script_of_a_page(
    stack: Stack, browser: Browser, crawled: tuple[str, str], whole: bool
) -> None:
    found: list[str] = []
    with visit(browser) as visited:
        for model in ADMIN:
            listing = f"{stack.url}/admin/{model}/"
            found += ran(visited, listing, "#changelist")
            rows = visited.page.locator("#result_list tbody th a")
            links = [str(row.get_attribute("href")) for row in rows.all()[: None if whole else 3]]
            for link in links:
                found += ran(visited, stack.url + link, "#content-main")
    assert found == []
