"""What became of a URL, as REST and the numbered events tell it."""

from __future__ import annotations

from crawler.models import CrawlUrl
from progress.messages import ErrorBody, UrlVerdict


def verdict_of(url: CrawlUrl) -> UrlVerdict:
    failed = ErrorBody(code=url.error_code, message=url.error_message, hint=url.error_hint) if url.error_code else None
    return UrlVerdict(
        url=url.url,
        state=url.state,
        reason=url.reason,
        depth=url.depth,
        http_status=url.http_status,
        milliseconds=url.milliseconds,
        bytes=url.size,
        rendered=url.rendered,
        chunks=url.chunks,
        attempts=url.attempts,
        page_id=str(url.document_id) if url.document_id else None,
        error=failed,
        fetched_at=url.fetched_at,
    )
