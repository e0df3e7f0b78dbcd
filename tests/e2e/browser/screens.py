"""Every address of the dashboard, with something to see on it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.e2e.served import served
from tests.stack import Stack


@dataclass(frozen=True)
class Shown:
    """Ids of what a stack was filled with."""

    progress_id: str
    source_id: str
    page_id: str

    def addresses(self) -> dict[str, str]:
        return {
            "knowledge": "/",
            "knowledge table": "/?view=table",
            "knowledge, nothing found": "/?q=zzzz",
            "add": "/add",
            "crawl": f"/crawls/{self.progress_id}",
            "crawl, failed pages": f"/crawls/{self.progress_id}?state=failed",
            "crawl, unknown": "/crawls/test-id",
            "search": "/search",
            "search, results": "/search?q=streams",
            "search, nothing found": "/search?q=zzzzqqqq",
            "source": f"/sources/{self.source_id}",
            "source, chunks": f"/sources/{self.source_id}/chunks",
            "source, edit": f"/sources/{self.source_id}/edit",
            "source, a page": f"/sources/{self.source_id}/pages/{self.page_id}",
            "source, unknown": "/sources/nothing",
            "assistants": "/assistants",
            "system": "/system",
            "not found": "/crawls",
        }


def fill(stack: Stack) -> Shown:
    with served(pages=12) as site:
        progress_id = stack.crawl(site.url, max_depth=5, tags=["example"])
        ended = stack.ended(progress_id)
    pages = stack.get(f"/api/pages?source_id={ended['sourceId']}")["pages"]
    return Shown(progress_id, ended["sourceId"], pages[0]["id"])
