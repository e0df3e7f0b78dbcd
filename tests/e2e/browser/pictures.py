"""Takes the pictures in docs/images from the running product: `make pictures`, then look at them."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mcp import Client
from mcp_types import Implementation
from playwright.sync_api import Browser, Page, expect

from tests.benchmarks.sites import SITES
from tests.e2e.browser import chromium
from tests.e2e.browser.chromium import Theme, visit
from tests.site import LocalSite
from tests.stack import ROOT, Stack, eventually, running_stack

IMAGES = ROOT / "docs" / "images"
# Debian's python3.11-doc: real documentation to show, from the local disk.
DOCUMENTATION = Path("/usr/share/doc/python3.11/html")
LIBRARY = (
    "archiving",
    "os",
    "os.path",
    "fileformats",
    "filesys",
    "pathlib",
    "glob",
    "json",
    "tempfile",
    "shutil",
    "zip*",
    "csv",
    "filecmp",
)
QUESTIONS = ("read a zip archive", "temporary directory that is removed", "glob recursively", "pretty-print json")
SIZE = (1280, 860)
# Crawling with vectors on a busy machine.
CRAWL_SECONDS = 240


def slow(page: Page) -> None:
    """Waits until the fonts are there and nothing is loading."""
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")


def crawl_picture(stack: Stack, browser: Browser, site: LocalSite, theme: Theme) -> None:
    """In the middle of a crawl, as the README shows it."""
    started = stack.crawl(f"{site.url}/c-api/", max_depth=3, max_pages=400, tags=["python"])
    with visit(browser, f"{stack.url}/crawls/{started}", theme=theme, size=SIZE) as visited:
        page = visited.page
        # A function, not an expression: the policy of the page allows no eval.
        reached = "() => parseInt(document.querySelector('[role=progressbar]')?.ariaValueText) >= 30"
        page.wait_for_function(reached, timeout=1000 * CRAWL_SECONDS)
        chromium.picture(page, IMAGES / "crawl.png")
    stack.request("POST", f"/api/knowledge-items/stop/{started}")
    stack.ended(started)


def still(stack: Stack, browser: Browser, name: str, path: str, theme: Theme) -> None:
    with visit(browser, stack.url + path, theme=theme, size=SIZE) as visited:
        expect(visited.page.get_by_role("heading").first).to_be_attached()
        slow(visited.page)
        chromium.picture(visited.page, IMAGES / f"{name}.png")


def learned(stack: Stack, url: str, names: tuple[str, ...], tags: list[str]) -> str:
    """The source id of a crawl of these pages; all of Python's would take long to embed."""
    include = [f"*/{name}.html" for name in names]
    started = stack.crawl(url, max_depth=1, include=include, tags=tags)
    return str(stack.ended(started, seconds=CRAWL_SECONDS)["sourceId"])


def others(stack: Stack) -> None:
    """What fills the list of sources: three more documentation sites, a part of each."""
    for name in ("postgresql", "git", "sqlite"):
        with LocalSite(directory=SITES[name].folder()) as site:
            started = stack.crawl(f"{site.url}/index.html", max_depth=2, max_pages=12, tags=[name])
            stack.ended(started, seconds=CRAWL_SECONDS)


def changed(stack: Stack, browser: Browser) -> None:
    """A page of Git's that says something else after a refresh, line by line."""
    path = "/gitcli.html"
    folder = SITES["git"].folder()
    with LocalSite(directory=folder) as site:
        started = stack.crawl(site.url + path, max_depth=1, max_pages=1, tags=["git"])
        source_id = stack.ended(started, seconds=CRAWL_SECONDS)["sourceId"]
        text = (folder / path.lstrip("/")).read_text()
        site.routes[path] = text.replace("You SHOULD", "You MUST", 1).replace("Many commands", "Most commands", 1)
        refreshed = stack.request("POST", f"/api/knowledge-items/{source_id}/refresh")[1]["progressId"]
        stack.ended(refreshed, seconds=CRAWL_SECONDS)
    (page,) = stack.get(f"/api/pages?source_id={source_id}")["pages"]
    still(stack, browser, "changes", f"/sources/{source_id}/changes/{page['id']}", "light")


async def consulted(stack: Stack, source_id: str) -> None:
    """What an assistant asks; the last of it leads nowhere."""
    asking = Implementation(name="claude-code", version="2.1")
    async with Client(f"{stack.url}/mcp", client_info=asking) as client:
        await client.call_tool("rag_get_available_sources", {})
        for question in QUESTIONS:
            await client.call_tool("rag_search_knowledge_base", {"query": question, "source_id": source_id})
        await client.call_tool("rag_search_code_examples", {"query": "copy a tree of files"})
        await client.call_tool("rag_read_full_page", {"page_id": 10**6})


def take_all(stack: Stack, browser: Browser, only: re.Pattern[str]) -> None:
    with LocalSite(directory=DOCUMENTATION) as site:
        if only.search("crawl"):
            crawl_picture(stack, browser, site, "light")
        if only.search("changes"):
            changed(stack, browser)
        if not any(map(only.search, ("knowledge", "search", "source", "chat", "assistants"))):
            return
        others(stack)
        source_id = learned(stack, f"{site.url}/library/", LIBRARY, ["python"])
        learned(stack, f"{site.url}/howto/", ("*",), ["python", "guides"])
        asked = {"message": "How do I make a temporary directory?", "source_id": source_id}
        stack.request("POST", "/api/chat/sessions/picture/messages", asked)
        eventually(lambda: stack.get("/api/chat/sessions/picture")["messages"][-1]["state"] == "complete")
        pages = stack.get(f"/api/pages?source_id={source_id}&section=json")["pages"]
        # The browser's own loop runs in this thread already.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, consulted(stack, source_id)).result()
        stills = {
            "knowledge": ("/", "dark"),
            "search": (f"/search?q=list+the+files+of+a+directory&source={source_id}", "light"),
            "source": (f"/sources/{source_id}/pages/{pages[0]['id']}", "light"),
            "chat": ("/chat/picture", "light"),
            "assistants": ("/assistants", "dark"),
        }
        for name, (path, theme) in stills.items():
            if only.search(name):
                still(stack, browser, name, path, "dark" if theme == "dark" else "light")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", default=".", help="pictures whose name matches this pattern")
    executable = chromium.found()
    if executable is None or not DOCUMENTATION.is_dir():
        sys.exit("This needs Chromium and python3.11-doc: `apt-get install chromium python3.11-doc`.")
    # With vectors, so that the scores are those of a hybrid search.
    with running_stack(ARCHON_EMBEDDER="local") as stack, chromium.launched(executable) as browser:
        take_all(stack, browser, re.compile(options.parse_args().only))


if __name__ == "__main__":
    main()
