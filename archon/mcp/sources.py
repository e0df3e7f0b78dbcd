"""A source as people name it: its id, its host, a part of its title."""

from __future__ import annotations

from urllib.parse import urlsplit

from knowledge.errors import UnknownSource
from knowledge.listing import ItemFilter
from knowledge.models import KnowledgeItem
from progress.viewer import Viewer
from progress.wire import storable

NAMED = 8


def source_named(viewer: Viewer, text: str) -> KnowledgeItem:
    """By id, or the only source of that host or title. Raises UnknownSource, which names the candidates."""
    wanted = storable(text).strip()
    exact = KnowledgeItem.objects.visible_to(viewer).filter(source_id=wanted).first()
    if exact is not None:
        return exact
    mentioned = list(ItemFilter(viewer, search=wanted).items()[: NAMED + 1]) if wanted else []
    by_host = [item for item in mentioned if urlsplit(item.url).hostname == wanted.lower()]
    found = by_host if len(by_host) == 1 else mentioned
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownSource.of(wanted, field="source_id")
    names = "; ".join(f"{item.source_id} (titled {item.title[:60]!r}, {item.url[:80]})" for item in found[:NAMED])
    raise UnknownSource(f"{wanted[:80]!r} fits several sources: {names}.", code="source_ambiguous", field="source_id")
