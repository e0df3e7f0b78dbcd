"""REST of what was learned, by noun. Views parse, call and render."""

from ninja import Router

from knowledge.api import code_examples, items, pages, search, uploads

router = Router(tags=["knowledge"])
for part in (search, items, pages, uploads, code_examples):
    router.add_router("", part.router)

__all__ = ["router"]
