"""REST of what was learned, by noun. Views parse, call and render."""

from ninja import Router

from knowledge.api import items, pages, search

router = Router(tags=["knowledge"])
for part in (search, items, pages):
    router.add_router("", part.router)

__all__ = ["router"]
