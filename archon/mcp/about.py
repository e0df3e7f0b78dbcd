"""Tools that tell how the server and this session stand, and what changed in a source."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.conf import settings
from pydantic import Field

from archon import health
from archon.mcp import VERSION, records, uptime_seconds
from archon.mcp.errors import refusals_told
from archon.mcp.memory import calling, crawls_counted, given_passages
from archon.mcp.sessions import caller, current
from archon.mcp.shapes import ChangedPage, Changes, Check, Health, SessionFacts
from archon.mcp.sources import source_named
from knowledge.changes import PageChange, changes_of
from progress.threads import in_pool

FIXES = {
    "database": "The database does not answer; `manage.py doctor` says why.",
    "redis": "Redis does not answer: crawls wait until it is back. `manage.py doctor` says why.",
    "worker": "No worker runs: search works, crawls wait. Start Archon with: make up",
}


@refusals_told
async def health_check() -> Health:
    """Whether search and crawls work now, part by part, and what to do about what does not."""
    checks = await in_pool(health.probes.checks)
    broken = [name for name in health.REQUIRED if checks[name]["status"] != "ok"]
    return Health(
        status="unhealthy" if broken else "healthy",
        ready=not broken,
        checks={name: Check(**check) for name, check in checks.items()},
        uptime_seconds=uptime_seconds(),
        version=VERSION,
        next_step=FIXES[broken[0]] if broken else "",
    )


@refusals_told
async def session_info() -> SessionFacts:
    """What the server knows of this session and of the others."""
    session, who = current.get(), calling()
    active = await in_pool(records.active_sessions)
    given = await in_pool(given_passages().count, who)
    crawls = await in_pool(crawls_counted, who)
    return SessionFacts(
        client_id=session.client_id,
        session_id=session.id or None,
        client_name=session.client_name,
        client_version=session.client_version,
        transport=session.transport,
        passages_given=given,
        crawls_started_this_hour=crawls,
        crawls_per_hour=settings.MCP_CRAWLS_PER_HOUR,
        active_sessions=active,
        session_timeout=records.SESSION_SECONDS,
        server_uptime_seconds=uptime_seconds(),
    )


@refusals_told
async def what_changed(
    source_id: Annotated[str, Field(description="Id, host or title of the source.")],
    since: Annotated[datetime | None, Field(description="ISO 8601; null for the last seven days.")] = None,
    limit: Annotated[int, Field(ge=1, le=500)] = 100,
) -> Changes:
    """Which pages of a source are new, changed or gone since a date, newest first; refresh_source looks for more."""
    return await in_pool(_changes, source_id, since, limit)


def _changes(source_id: str, since: datetime | None, limit: int) -> Changes:
    item = source_named(caller.get().viewer, source_id)
    found = changes_of(item, since, limit=limit)
    listed = [_changed(page) for page in found.pages]
    note = "" if listed else "No stored page changed since then. refresh_source asks the site itself."
    return Changes(
        source_id=item.source_id, since=found.since, pages=listed, count=len(listed), total=found.total, note=note
    )


def _changed(page: PageChange) -> ChangedPage:
    return ChangedPage(
        page_id=None if page.page_id is None else str(page.page_id),
        url=page.url,
        title=page.title,
        change=page.change,
        changed_at=page.at,
    )
