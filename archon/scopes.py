"""What a token may carry, and which scope each route asks for.

One row per route. In server mode a route without a row answers nobody, and tests/test_access.py
fails until it has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple


class Scope(StrEnum):
    READ = "read"  # search, ask, watch
    CRAWL = "crawl"  # start, stop, upload, change, delete
    MCP = "mcp"  # the assistants' server
    ADMIN = "admin"  # figures, logs, the work of others


class Need(NamedTuple):
    """`anyone` lets the unknown in too; with no scopes any account or token will do."""

    scopes: frozenset[Scope] = frozenset()
    anyone: bool = False


# A person who is signed in may do what a token can; staff everything.
PEOPLE = frozenset({Scope.READ, Scope.CRAWL, Scope.MCP})
STAFF = frozenset(Scope)

OPEN = Need(anyone=True)
KNOWN = Need()
READ, CRAWL, MCP, ADMIN = (Need(frozenset({scope})) for scope in (Scope.READ, Scope.CRAWL, Scope.MCP, Scope.ADMIN))

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Row(NamedTuple):
    reading: Need
    writing: Need


def same(need: Need, *routes: str) -> dict[str, Row]:
    return dict.fromkeys(routes, Row(need, need))


def read_or_crawl(*routes: str) -> dict[str, Row]:
    return dict.fromkeys(routes, Row(READ, CRAWL))


# The name of the view, or the route as Django spells it.
ROUTES: Mapping[str, Row] = {
    # Health checks, icons, and Django's admin, which has a login of its own.
    **same(OPEN, "favicon.ico", "health", "api/health", "ready", "admin", "protected-resource"),
    # The documentation tells nothing about this server, but a server shows itself to nobody it does not know.
    **same(KNOWN, "docs", "docs-page"),
    **same(KNOWN, "dashboard", "api/", "api/docs", "api/openapi.json", "api/asyncapi.json"),
    **same(KNOWN, "api/whoami", "api/tokens", "api/tokens/<int:token_id>", "api/socket-ticket"),
    **same(ADMIN, "metrics", "api/debug/realtime", "api/settings"),
    **read_or_crawl(
        "api/progress/",
        "api/progress/<path:progress_id>",
        "api/progress/<path:progress_id>/events",
        "api/crawls/<path:progress_id>/pages",
        "api/crawls/<path:progress_id>/hosts",
        "api/knowledge-items",
        "api/knowledge-items/crawl",
        "api/knowledge-items/stop/<path:progress_id>",
        "api/knowledge-items/pause/<path:progress_id>",
        "api/knowledge-items/resume/<path:progress_id>",
        "api/knowledge-items/retry-failed/<path:progress_id>",
        "api/knowledge-items/summary",
        "api/knowledge-items/sources",
        "api/knowledge-items/<source_id>",
        "api/knowledge-items/<source_id>/refresh",
        "api/knowledge-items/import",
        "api/knowledge-items/<source_id>/export",
        "api/knowledge-items/<source_id>/chunks",
        "api/knowledge-items/<source_id>/changes",
        "api/documents/upload",
        "api/documents/uploads/<path:progress_id>/files",
        "api/knowledge-items/<source_id>/code-examples",
        "api/pages",
        "api/pages/by-url",
        "api/pages/<page_id>",
        "api/pages/<page_id>/html",
        "api/pages/<page_id>/diff",
        "api/database/metrics",
        "api/rag/sources",
    ),
    # It asks the site, as a crawl does.
    **same(CRAWL, "api/knowledge-items/crawl/preview"),
    **same(CRAWL, "api/webhooks", "api/webhooks/<int:webhook_id>", "api/webhooks/<int:webhook_id>/test"),
    **same(CRAWL, "api/webhooks/<int:webhook_id>/deliveries"),
    # A question comes with POST and changes nothing.
    **same(READ, "api/rag/query", "api/rag/code-examples", "api/rag/eval", "api/knowledge-items/search"),
    # Whoever may read may ask; each account sees its own chats alone.
    **same(READ, "api/chat/sessions", "api/chat/sessions/<path:session_id>"),
    **same(READ, "api/chat/sessions/<path:session_id>/messages", "api/chat/sessions/<path:session_id>/stop"),
    **same(READ, "api/chat/sessions/<path:session_id>/events"),
    **same(READ, "api/mcp/status", "api/mcp/config", "api/mcp/tools"),
    **same(ADMIN, "api/mcp/logs", "api/mcp/clients", "api/mcp/sessions", "api/mcp/unanswered"),
}
# WebSocket paths, by their beginning.
SOCKETS: Mapping[str, Need] = {
    "/api/crawl-progress/": READ,
    "/api/knowledge-items/stream": READ,
    "/api/chat/": READ,
    "/api/mcp/logs/stream": ADMIN,
}


def need_of(names: Iterable[str], method: str) -> Need | None:
    """The row of the first of these names that has one; None: nobody said who may have it."""
    for name in names:
        if row := ROUTES.get(name):
            return row.reading if method in SAFE_METHODS else row.writing
    return None


def socket_need(path: str) -> Need | None:
    return next((need for beginning, need in SOCKETS.items() if path.startswith(beginning)), None)
