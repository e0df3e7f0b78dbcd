"""Every address of the dashboard, with something to see on it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from tests.e2e.browser.chromium import Visit
from tests.e2e.served import served
from tests.stack import Stack, eventually

CHAT = "e2e"
# An id may be that of an upload as well as of a crawl.
UPLOAD = "404 GET /api/documents/uploads/test-id/files"
# Screens of what does not exist, and what the server refuses for them.
UNKNOWN = {
    "crawl, unknown": ("404 GET /api/progress/test-id", "404 GET /api/crawls/test-id/pages", UPLOAD),
    "source, unknown": ("404 GET /api/knowledge-items/nothing", "404 GET /api/pages"),
    "not found": ("404 GET /crawls",),
}


@dataclass(frozen=True)
class Shown:
    """Ids of what a stack was filled with."""

    progress_id: str
    source_id: str
    page_id: str
    page_url: str

    def addresses(self) -> dict[str, str]:
        return {
            "knowledge": "/",
            "knowledge table": "/?view=table",
            "knowledge, nothing found": "/?q=zzzz",
            "add": "/add",
            "add files": "/add?from=files",
            "crawl": f"/crawls/{self.progress_id}",
            "crawl, failed pages": f"/crawls/{self.progress_id}?state=failed",
            "crawl, hosts": f"/crawls/{self.progress_id}?view=hosts",
            "crawl, unknown": "/crawls/test-id",
            "search": "/search",
            "search, results": "/search?q=streams",
            "search, nothing found": "/search?q=zzzzqqqq",
            "search, eval bench": "/search?view=eval",
            "source": f"/sources/{self.source_id}",
            "source, chunks": f"/sources/{self.source_id}/chunks",
            "source, code examples": f"/sources/{self.source_id}/code",
            "source, changes": f"/sources/{self.source_id}/changes",
            "source, what changed": f"/sources/{self.source_id}/changes/{self.page_id}",
            "source, nothing changed": f"/sources/{self.source_id}/changes/{self.page_id}?since=2100-01-01",
            "source, edit": f"/sources/{self.source_id}/edit",
            "source, a page": f"/sources/{self.source_id}/pages/{self.page_id}",
            "source, unknown": "/sources/nothing",
            "chat": "/chat",
            "chat, an answer": f"/chat/{CHAT}",
            "source, a page by its address": f"/sources/{self.source_id}/page?url={quote(self.page_url, safe='')}",
            "assistants": "/assistants",
            "system": "/system",
            "settings": "/settings",
            "settings, variables": "/settings/variables",
            "settings, tokens": "/settings/tokens",
            "settings, webhooks": "/settings/webhooks",
            "not found": "/crawls",
        }


def faults_of(visited: Visit, url: str, shown: Shown) -> list[str]:
    """Whatever is wrong with any screen: for axe, for the content policy, for the console, in width, in requests."""
    faults = []
    for name, path in shown.addresses().items():
        visited.page.goto(url + path)
        visited.page.wait_for_load_state("networkidle")
        faults += [f"{name}: {fault}" for fault in visited.axe()]
        faults += [f"{name}: {refused}" for refused in visited.refused()]
        if (sideways := visited.sideways()) > 0:
            faults.append(f"{name}: {sideways} px wider than the window")
        # What does not exist is answered 404, and Chromium logs that; nothing else may be refused.
        unknown = UNKNOWN.get(name, ())
        faults += [f"{name}: {refused}" for refused in visited.refused_requests if not refused.endswith(unknown)]
        faults += [f"{name}: {said}" for said in visited.complaints if not (unknown and "status of 404" in said)]
        visited.refused_requests.clear()
        visited.complaints.clear()
    return faults


def fill(stack: Stack, port: int = 0) -> Shown:
    """`port`: of the site that is crawled, when it may not be any."""
    with served(pages=12, port=port) as site:
        progress_id = stack.crawl(site.url, max_depth=5, tags=["example"])
        ended = stack.ended(progress_id)
        pages = stack.get(f"/api/pages?source_id={ended['sourceId']}")["pages"]
        site.rewrite(pages[0]["url"])
        refreshed = stack.request("POST", f"/api/knowledge-items/{ended['sourceId']}/refresh")
        stack.ended(refreshed[1]["progressId"])
    answer = {"message": "How do I open streams?"}
    assert stack.request("POST", f"/api/chat/sessions/{CHAT}/messages", answer)[0] == 202
    eventually(lambda: stack.get(f"/api/chat/sessions/{CHAT}")["messages"][-1]["state"] == "complete")
    return Shown(progress_id, ended["sourceId"], pages[0]["id"], pages[0]["url"])
