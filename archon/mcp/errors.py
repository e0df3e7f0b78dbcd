"""Refusals in words that an assistant can act on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import DatabaseError
from mcp.server.mcpserver.exceptions import ToolError

from crawler.errors import CrawlerError
from knowledge.errors import KnowledgeError
from progress.errors import ProgressError

P = ParamSpec("P")
T = TypeVar("T")

# REST hints name endpoints; an assistant has tools.
HINTS = {
    "source_unknown": "rag_get_available_sources lists the sources.",
    "page_unknown": "rag_list_pages_for_source lists the pages of a source.",
    "crawl_unknown": "get_crawl_status without a progress_id lists the crawls that run.",
    "progress_unknown": "get_crawl_status without a progress_id lists the crawls that run.",
    "crawl_running": "get_crawl_status follows the one that runs; stop_crawl ends it.",
    "query_empty": "Ask with a word or two.",
}


def refusals_told(tool: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Our own errors become tool errors with their code and remedy; anything else is a crash, which the SDK hides."""

    @wraps(tool)
    async def told(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await tool(*args, **kwargs)
        except (CrawlerError, KnowledgeError, ProgressError) as error:
            raise ToolError(refusal(error)) from error
        except DatabaseError as error:
            kind = type(error).__name__
            hint = "Try again in a few seconds; `manage.py doctor` says what is wrong."
            raise ToolError(f"The database does not answer ({kind}). [database_failed] {hint}") from error

    return told


def refusal(error: Any) -> str:
    field = f" Field: {error.field}." if error.field else ""
    hint = HINTS.get(error.code) or error.hint
    return f"{error.message} [{error.code}]{field} {hint}".strip()
