"""A stored page by its id or its URL, for REST and for assistants."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from knowledge.errors import BadQuery, UnknownPage
from knowledge.models import DIGEST_CHARS, Document
from progress.viewer import Viewer
from progress.wire import storable

MAX_ID = 2**63 - 1
HINT = "GET /api/pages lists a source's pages."


def page_by_id(viewer: Viewer, page_id: str) -> Document:
    """Raises UnknownPage."""
    known = page_id.isascii() and page_id.isdigit() and len(page_id) < 20 and int(page_id) <= MAX_ID
    page: Document | None = _pages(viewer).filter(pk=int(page_id)).first() if known else None
    if page is None:
        raise UnknownPage(f"No page has the id {storable(page_id)[:40]!r}.", hint=HINT, field="page_id")
    return page


def page_by_url(viewer: Viewer, url: str) -> Document:
    """With or without the last slash; what stands after # may name a section of a file, or a heading of the page.
    Raises BadQuery and UnknownPage."""
    if not url.strip():
        raise BadQuery("url is missing.", field="url")
    given = storable(url).strip()
    bare = given.partition("#")[0]
    spellings = [given, bare, bare.removesuffix("/") if bare.endswith("/") else f"{bare}/"]
    keys = [sha256(spelling.encode()).hexdigest()[:DIGEST_CHARS] for spelling in spellings]
    found: dict[str, Document] = {
        page.url_hash: page for page in _pages(viewer).filter(url_hash__in=keys).order_by("-fetched_at")
    }
    for key in keys:
        if key in found:
            return found[key]
    raise UnknownPage(f"No page was stored from {bare[:200]}.", hint=HINT, field="url")


def _pages(viewer: Viewer) -> Any:
    return Document.objects.visible().filter(viewer.seen("item__")).select_related("item", "alias_of")
