"""Bodies of the knowledge endpoints, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from ninja import Field, Schema
from pydantic import StringConstraints

from knowledge.messages import SourceFailure
from knowledge.search import MAX_MATCHES, MAX_QUERY_CHARS, Mode, ReturnMode
from knowledge.search.evaluation import MODES
from progress.request import STRIPPED, RequestBody

Tag = Annotated[str, StringConstraints(min_length=1, max_length=100), STRIPPED]
KnowledgeType = Literal["technical", "business"]
SourceType = Literal["url", "file"]
ItemStatus = Literal["active", "processing", "error"]


class ItemMetadata(Schema):
    """`status` is error when the newest crawl, upload or import of the source failed; then `failure` says why."""

    knowledge_type: str
    tags: list[str]
    source_type: str
    status: str
    failure: SourceFailure | None
    description: str
    document_count: int
    chunks_count: int
    word_count: int
    code_examples_count: int
    estimated_pages: float
    pages_tooltip: str
    last_scraped: datetime | None
    update_frequency: int
    original_url: str
    group_name: str
    private: bool


class Item(Schema):
    id: str
    title: str
    url: str
    source_id: str
    metadata: ItemMetadata
    created_at: datetime
    updated_at: datetime


class ItemList(Schema):
    items: list[Item]
    total: int
    page: int
    per_page: int
    pages: int


class ItemSummary(Schema):
    source_id: str
    title: str
    url: str
    status: str
    document_count: int
    code_examples_count: int
    knowledge_type: str
    source_type: str
    created_at: datetime
    updated_at: datetime
    metadata: ItemMetadata


class ItemSummaryList(Schema):
    items: list[ItemSummary]
    total: int
    page: int
    per_page: int
    pages: int


class ItemUpdate(RequestBody):
    """Only the fields that are sent change."""

    title: str = Field("", min_length=1, max_length=500)
    description: str = Field("", max_length=10_000)
    knowledge_type: KnowledgeType = "technical"
    tags: list[Tag] = Field(default_factory=list, max_length=50)
    status: ItemStatus = "active"
    update_frequency: int = Field(7, ge=0, le=3_650, description="Days between refreshes; 0 for never.")
    group_name: str = Field("", max_length=200)
    private: bool = Field(False, description="It exists for its owner alone; shared otherwise.")


class ItemChanged(Schema):
    success: bool = True
    message: str
    source_id: str


class ItemDeleted(ItemChanged):
    progressId: str


class ImportStarted(Schema):
    success: bool = True
    progressId: str
    sourceId: str
    message: str


class Source(Schema):
    source_id: str
    title: str
    url: str
    summary: str
    metadata: ItemMetadata
    total_words: int
    update_frequency: int
    created_at: datetime
    updated_at: datetime


class SourceList(Schema):
    success: bool = True
    sources: list[Source]
    count: int


class ChunkMetadata(Schema):
    page_id: str
    chunk_index: int
    heading_path: str
    anchor: str
    char_count: int


class ChunkOut(Schema):
    id: str
    source_id: str
    content: str
    metadata: ChunkMetadata
    url: str
    title: str
    section: str
    source_type: str
    knowledge_type: str


class ChunkList(Schema):
    success: bool = True
    source_id: str
    domain_filter: str | None
    chunks: list[ChunkOut]
    total: int
    limit: int
    offset: int
    has_more: bool


class PageSummary(Schema):
    id: str
    url: str
    section_title: str
    section_order: int
    word_count: int
    char_count: int
    chunk_count: int


class PageList(Schema):
    pages: list[PageSummary]
    total: int
    source_id: str
    limit: int
    offset: int
    has_more: bool


class PageChange(Schema):
    """`page_id` is null for a page that is gone. `has_diff`: an earlier text is kept, and `/api/pages/{page_id}/diff`
    compares."""

    page_id: str | None
    url: str
    title: str
    change: Literal["added", "changed", "removed"]
    changed_at: datetime
    has_diff: bool


class ChangeCounts(Schema):
    added: int
    changed: int
    removed: int


class ChangeList(Schema):
    success: bool = True
    source_id: str
    since: datetime
    changes: list[PageChange]
    counts: ChangeCounts
    total: int
    limit: int
    offset: int
    has_more: bool


class PageDiff(Schema):
    """`diff` is unified, without names of files: lines that begin with `@@`, a blank, `-` or `+`. It starts from what
    the page said from `since` until `until`; these are null when no earlier text of it is kept. `truncated`: the page
    is too long to compare or to show all of it."""

    page_id: str
    source_id: str
    url: str
    title: str
    title_before: str
    since: datetime | None
    until: datetime | None
    changed_at: datetime
    diff: str
    added: int
    removed: int
    truncated: bool


class PageMetadata(Schema):
    description: str
    language: str
    content_type: str
    http_status: int
    fetched_at: datetime
    changed_at: datetime


class Page(Schema):
    id: str
    source_id: str
    url: str
    title: str
    full_content: str
    section_title: str
    word_count: int
    char_count: int
    chunk_count: int
    metadata: PageMetadata
    created_at: datetime
    updated_at: datetime


class PageHtml(Schema):
    """`truncated`: the page goes on; GET /api/pages/{page_id} has all of it as Markdown."""

    id: str
    source_id: str
    url: str
    title: str
    html: str
    truncated: bool


class RagQuery(RequestBody):
    query: str = Field("", description="A question or a few words; identifiers are found whole and by part.")
    source: str | None = Field(None, description="source_id of the one source to search in.")
    tags: list[Tag] = Field(default_factory=list, max_length=50, description="Only sources that carry all of these.")
    match_count: int = Field(5, ge=1, le=MAX_MATCHES)
    return_mode: ReturnMode = "chunks"
    mode: Mode = "hybrid"


class HitScores(Schema):
    vector: float | None
    keyword: float | None
    rerank: float | None


class HitMetadata(Schema):
    """`highlights` are the (start, end) places of the asked words in `snippet`."""

    source_id: str
    page_id: str
    page_url: str
    chunk_index: int
    anchor: str
    knowledge_type: str
    tags: list[str]
    snippet: str
    highlights: list[tuple[int, int]]


class Hit(Schema):
    """`similarity_score` is relative to the best hit. The fields from `page_id` on come with return_mode pages."""

    id: str
    content: str
    url: str
    title: str
    heading_path: str
    metadata: HitMetadata
    similarity_score: float
    scores: HitScores
    page_id: str | None = None
    section_title: str | None = None
    word_count: int | None = None
    chunk_matches: int | None = None
    aggregate_similarity: float | None = None
    average_similarity: float | None = None
    source_id: str | None = None


class RagAnswer(Schema):
    """`search_mode` is the search that was done; when it is less than was asked for, `notice` says why.

    `weak`: no result seems to answer, they are only the nearest that there is.
    """

    success: bool = True
    results: list[Hit]
    query: str
    source: str | None
    match_count: int
    total_found: int
    search_mode: Mode
    reranking_applied: bool
    notice: str = ""
    weak: bool = False
    return_mode: ReturnMode
    took_ms: float


class EvalQuestionIn(RequestBody):
    """`expected`: URLs of pages that answer, or their ends from a slash on; a list, or one."""

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARS)
    expected: list[str] | str
    source: str | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=50)


class RagEval(RequestBody):
    """More questions than a request can wait for are for `manage.py eval`."""

    questions: list[EvalQuestionIn] = Field(min_length=1, max_length=200)
    modes: list[Mode] = Field(default_factory=lambda: list(MODES), min_length=1, max_length=len(MODES))


class EvalModeScore(Schema):
    """Means over all questions. `answered_as` is the search that was really done, when it was not the one asked for."""

    mode: Mode
    hit_at_1: float
    hit_at_5: float
    hit_at_10: float
    mrr: float
    ndcg_at_10: float
    median_ms: float
    answered_as: list[Mode]
    unavailable: str


class RagEvaluation(Schema):
    """`ranks` hold for each question, by mode, the place of the first expected page; null: not among ten."""

    success: bool = True
    modes: list[EvalModeScore]
    ranks: list[dict[Mode, int | None]]
    took_ms: float


class CodeExampleMetadata(Schema):
    page_id: str
    page_title: str
    heading_path: str
    anchor: str
    char_count: int
    knowledge_type: str
    tags: list[str]


class CodeExampleOut(Schema):
    """`language` is empty when neither the page nor the code tells it. `described_by`: `heading` for the page's own
    words, else the model that wrote title and summary."""

    id: str
    source_id: str
    content: str
    language: str
    title: str
    summary: str
    described_by: str
    url: str
    metadata: CodeExampleMetadata


class LeftOut(Schema):
    """How many code blocks are no example: of one short line, a listing of data, prose in a box, a drawing, mere
    output, or the same code again."""

    short: int
    long: int
    prose: int
    diagram: int
    output: int
    duplicate: int


class Descriptions(Schema):
    """How many titles and summaries a language model wrote, how many are to come, and how many it failed at: these keep
    the page's own words. `reason` is that of the newest failure."""

    by_model: int
    waiting: int
    failed: int
    reason: str


class CodeExampleList(Schema):
    """`left_out` tells what else was found, so that no examples never means nobody looked."""

    success: bool = True
    source_id: str
    code_examples: list[CodeExampleOut]
    left_out: LeftOut
    descriptions: Descriptions
    total: int
    limit: int
    offset: int
    has_more: bool


class CodeExampleQuery(RequestBody):
    query: str = Field("", description="What the code does, or names that stand in it.")
    source: str | None = Field(None, description="source_id of the one source to search in.")
    tags: list[Tag] = Field(default_factory=list, max_length=50, description="Only sources that carry all of these.")
    language: str = Field("", max_length=40, description="Only code of this language: python, shell, json, ...")
    match_count: int = Field(5, ge=1, le=MAX_MATCHES)
    return_mode: ReturnMode = Field("chunks", description="As of a search; code is always answered one by one.")
    mode: Mode = "hybrid"


class CodeExampleHit(CodeExampleOut):
    """`similarity_score` is relative to the best hit."""

    similarity_score: float
    scores: HitScores


class CodeExampleAnswer(Schema):
    """`search_mode` is what was done; `notice` says why it is less than was asked for."""

    success: bool = True
    results: list[CodeExampleHit]
    query: str
    source: str | None
    language: str
    match_count: int
    total_found: int
    search_mode: Mode
    reranking_applied: bool = False
    notice: str = ""
    took_ms: float


class Metrics(Schema):
    sources_count: int
    pages_count: int
    chunks_count: int
    code_examples_count: int
    words_count: int
    average_pages_per_source: float
    timestamp: datetime
