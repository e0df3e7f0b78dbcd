"""What the knowledge endpoints have in common: limits of parameters, the source in the path, a window of rows."""

from __future__ import annotations

from typing import Annotated, Any

from ninja import Query

from knowledge.errors import UnknownSource
from knowledge.models import KnowledgeItem
from progress.viewer import Viewer
from progress.wire import storable

MAX_OFFSET = 10_000_000

PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]
PerPage = Annotated[int, Query(ge=1, le=100)]
Limit = Annotated[int, Query(ge=1, le=100)]
PageLimit = Annotated[int, Query(ge=1, le=1_000)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]
Text = Annotated[str, Query(max_length=500)]
Tags = Annotated[list[str], Query(max_length=50, description="Repeated, or separated by commas.")]


def window(total: int, limit: int, offset: int) -> dict[str, Any]:
    return {"total": total, "limit": limit, "offset": offset, "has_more": offset + limit < total}


def item_of(viewer: Viewer, source_id: str) -> KnowledgeItem:
    item = KnowledgeItem.objects.visible_to(viewer).filter(source_id=storable(source_id)).first()
    if item is None:
        raise UnknownSource.of(storable(source_id))
    return item
