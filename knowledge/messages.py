"""The typed messages of the list of sources: what a frame holds, and what a client may ask for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

# Pydantic reads typing's own TypedDict only from Python 3.12 on.
from typing_extensions import TypedDict

from knowledge.models import KnowledgeItem
from progress.messages import Count, ErrorBody, exact, lenient

MAX_PER_PAGE = 100
MAX_PAGE = 1_000_000

PageNumber = Annotated[int, Field(ge=1, le=MAX_PAGE)]
PageSize = Annotated[int, Field(ge=1, le=MAX_PER_PAGE)]
# Text for the code: a row with an odd word is shown as it is, and ends nobody's stream.
SourceType = Annotated[str, WithJsonSchema({"type": "string", "enum": KnowledgeItem.SourceType.values})]
ItemStatus = Annotated[str, WithJsonSchema({"type": "string", "enum": KnowledgeItem.Status.values})]


@exact
class SourceFailure(ErrorBody):
    """Why the newest crawl, upload or import of a source failed."""

    progress_id: str
    failed_at: datetime


@exact
class ItemMetadata(TypedDict):
    knowledge_type: str
    tags: list[str]
    source_type: SourceType
    status: Annotated[ItemStatus, Field(description="error when what filled it last failed; `failure` says why.")]
    failure: SourceFailure | None
    description: str
    document_count: Annotated[Count, Field(description="Pages, or files of an upload.")]
    chunks_count: Count
    word_count: Count
    code_examples_count: Count
    estimated_pages: Annotated[float, Field(description="Printed pages.")]
    pages_tooltip: str
    last_scraped: Annotated[datetime | None, Field(description="When a page was last fetched.")]
    update_frequency: Annotated[Count, Field(description="Days between refreshes.")]
    original_url: str
    group_name: str
    private: Annotated[bool, Field(description="It exists for its owner alone.")]


@exact
class ItemBody(TypedDict):
    """A source."""

    id: str
    title: str
    url: str
    source_id: str
    metadata: ItemMetadata
    created_at: datetime
    updated_at: datetime


@exact
class ItemsBody(TypedDict):
    """`data` of knowledge_items_update: one page of the list."""

    items: list[ItemBody]
    total: Annotated[Count, Field(description="How many sources match, on all pages.")]
    page: PageNumber
    per_page: PageSize


@exact
class KnowledgeItemsUpdate(TypedDict):
    """The list as this client looks at it, whole."""

    type: Literal["knowledge_items_update"]
    data: ItemsBody


@lenient
class _Named(TypedDict):
    type: Literal["subscribe"]


@lenient
class Subscribe(_Named, total=False):
    """What to look at from now on. What is missing or makes no sense falls back to its default."""

    page: PageNumber
    per_page: PageSize
    search: Annotated[str, Field(description="In title, address, description or id.")]
    knowledge_type: str
    source_type: str
    tags: Annotated[list[str], Field(description="Sources that carry every one of these.")]
