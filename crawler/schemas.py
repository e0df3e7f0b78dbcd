"""Bodies of the crawl endpoints, as OpenAPI shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import StringConstraints

from crawler.actions import CrawlRequest
from crawler.hosts import RobotsState
from progress.messages import UrlVerdict
from progress.request import STRIPPED, RequestBody
from progress.viewer import Viewer

# PostgreSQL stores no NUL, and no address has one.
NO_NUL = r"^[^\x00]*$"
Glob = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=NO_NUL), STRIPPED]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=100), STRIPPED]


class CrawlIn(RequestBody):
    """What to crawl, and how far."""

    url: str = Field("", description="Address to start from, http or https.", max_length=4_000)
    knowledge_type: str = Field("technical", max_length=32, description="Of a known source: as it is, if left out.")
    tags: list[Tag] = Field(
        default_factory=list, max_length=50, description="Of a known source: as they are, if left out."
    )
    update_frequency: int = Field(
        7, ge=0, le=3_650, description="Days between refreshes; 0 for never. Of a known source: as it is, if left out."
    )
    max_depth: int = Field(2, ge=1, le=5, description="Links away from the start.")
    max_pages: int | None = Field(None, ge=1, le=1_000_000)
    include: list[Glob] = Field(default_factory=list, max_length=50, description="Globs a path must match.")
    exclude: list[Glob] = Field(default_factory=list, max_length=50, description="Globs a path must not match.")
    scope: Literal["path", "host", "domain"] = "path"
    extract_code_examples: bool = True
    render: Literal["auto", "http", "browser"] = Field(
        "auto", description="auto: by a browser where a page shows its text only when its scripts have run."
    )
    respect_robots: bool = True
    private: bool = Field(False, description="A source that exists for you alone; shared otherwise.")
    headers: dict[str, str] | None = Field(
        None, description="Taken, and not sent: a crawl asks every site as anybody would. The answer says so."
    )

    def request(self, *, idempotency_key: str | None, viewer: Viewer) -> CrawlRequest:
        given = self.model_fields_set
        return CrawlRequest(
            url=self.url,
            knowledge_type=self.knowledge_type if "knowledge_type" in given else None,
            tags=tuple(self.tags) if "tags" in given else None,
            update_frequency=self.update_frequency if "update_frequency" in given else None,
            max_depth=self.max_depth,
            max_pages=self.max_pages or 0,
            include=tuple(self.include),
            exclude=tuple(self.exclude),
            scope=self.scope,
            render=self.render,
            respect_robots=self.respect_robots,
            extract_code_examples=self.extract_code_examples,
            idempotency_key=idempotency_key,
            viewer=viewer,
            private=self.private,
        )


class CrawlStarted(Schema):
    success: bool = True
    progressId: str
    sourceId: str
    message: str
    estimatedDuration: str


class CrawlMoved(Schema):
    success: bool = True
    message: str
    progressId: str


class RefreshStarted(Schema):
    progressId: str
    message: str


class CrawlUrlPage(Schema):
    pages: list[UrlVerdict]
    total: int
    page: int
    per_page: int
    counts: dict[str, int]
    discovery: dict[str, Any]


class HostHold(Schema):
    """`status` is the answer that asked for it, `seconds` what it asked for, an hour at most."""

    until: datetime
    status: int
    seconds: float


class CrawlHost(Schema):
    """One host of a crawl and how fast it is asked, over all workers. `concurrency` null: as fast as it answers.

    `robots_error` says why a robots.txt that is `unreachable` cannot be read, and what follows from it.
    """

    origin: str
    own: bool
    concurrency: int | None
    delay_seconds: float
    crawl_delay: float | None
    robots: RobotsState
    robots_status: int | None
    robots_error: str
    held: HostHold | None
    holds: int
    counts: dict[str, int]


class CrawlHosts(Schema):
    user_agent: str
    hosts: list[CrawlHost]


class PreviewPageOut(Schema):
    """`verdict` is crawl or skip; `reason` is ok, or the word for why not."""

    url: str
    title: str
    depth: int
    verdict: Literal["crawl", "skip"]
    reason: str


class PreviewRobots(Schema):
    status: int | None
    allowed: bool
    crawl_delay: float | None
    sitemaps: list[str]


class CrawlPreview(Schema):
    """What a crawl would begin with. `counts` covers every URL found, `pages` the first thousand.

    `warnings` say why it would bring little, and what to do instead.
    """

    kind: str
    seed: str
    scope: dict[str, Any]
    pages: list[PreviewPageOut]
    counts: dict[str, int]
    robots: PreviewRobots
    warnings: list[str]
    notes: list[str]
    truncated: str
