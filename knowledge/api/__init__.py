"""REST of what was learned, by noun. Views parse, call and render."""

from ninja import Router

from knowledge.api import code_examples, items, pages, portable, search, uploads

router = Router(tags=["knowledge"])
# `import` must not be read as the id of a source: the part that knows it stands before the sources.
for part in (search, portable, items, pages, uploads, code_examples):
    router.add_router("", part.router)

__all__ = ["router"]
