"""What the log of calls says of clients, sessions and questions. Its rows are the only memory all processes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from progress.log_rows import LOGGER
from progress.models import LogRecord

# A session that has said nothing for so long is not counted as active.
SESSION_SECONDS = 1_800
RECORDS_READ = 5_000
SEARCHES = ("rag_search_knowledge_base", "perform_rag_query", "search_knowledge", "rag_search_code_examples")
HANDSHAKES = ("initialize", "server/discover")


@dataclass(slots=True)
class Tally:
    """What the calls of one client or session add up to."""

    first: LogRecord
    last: LogRecord
    calls: int = 0
    errors: int = 0
    seconds: float = 0.0
    sessions: set[str] = field(default_factory=set)
    tools: Counter[str] = field(default_factory=Counter)

    def add(self, record: LogRecord) -> None:
        self.last = record
        told = record.metadata
        if told.get("session_id"):
            self.sessions.add(told["session_id"])
        if told.get("method") in HANDSHAKES:
            return
        self.calls += 1
        self.errors += "error" in told
        self.seconds += told.get("execution_time") or 0.0
        if told.get("tool_name"):
            self.tools[told["tool_name"]] += 1


def answered() -> QuerySet[LogRecord]:
    """Calls of tools and resources; handshakes are none."""
    return LogRecord.objects.filter(logger=LOGGER, metadata__method__in=("tools/call", "resources/read"))


def calls() -> list[LogRecord]:
    """The newest calls, oldest first."""
    rows = LogRecord.objects.filter(logger=LOGGER, metadata__has_key="method").order_by("-pk")[:RECORDS_READ]
    return list(rows)[::-1]


def by_client(records: Iterable[LogRecord]) -> list[dict[str, Any]]:
    return [client_body(tally) for tally in newest_first(tallied(records, client_key))]


def by_session(records: Iterable[LogRecord]) -> list[dict[str, Any]]:
    kept = (record for record in records if record.metadata.get("session_id"))
    return [session_body(tally) for tally in newest_first(tallied(kept, lambda told: told["session_id"]))]


def client_key(told: dict[str, Any]) -> tuple[Any, ...]:
    return told.get("client_name"), told.get("client_version"), told.get("transport")


def tallied(records: Iterable[LogRecord], key: Any) -> list[Tally]:
    tallies: dict[Any, Tally] = {}
    for record in records:
        tallies.setdefault(key(record.metadata), Tally(record, record)).add(record)
    return list(tallies.values())


def newest_first(tallies: list[Tally]) -> list[Tally]:
    return sorted(tallies, key=lambda tally: tally.last.pk, reverse=True)


def client_body(tally: Tally) -> dict[str, Any]:
    told = tally.last.metadata
    return {
        "client_name": told.get("client_name") or "unknown",
        "client_version": told.get("client_version") or "",
        "transport": told.get("transport") or "",
        "protocol_version": told.get("protocol_version") or "",
        "sessions": len(tally.sessions),
        **usage(tally),
    }


def session_body(tally: Tally) -> dict[str, Any]:
    told = tally.last.metadata
    return {
        "session_id": told["session_id"],
        "client_name": told.get("client_name") or "unknown",
        "client_version": told.get("client_version") or "",
        "transport": told.get("transport") or "",
        "protocol_version": told.get("protocol_version") or "",
        "active": is_active(tally.last.timestamp),
        **usage(tally),
    }


def usage(tally: Tally) -> dict[str, Any]:
    return {
        "calls": tally.calls,
        "errors": tally.errors,
        "mean_milliseconds": round(1_000 * tally.seconds / tally.calls, 1) if tally.calls else None,
        "tools": dict(tally.tools.most_common(20)),
        "first_seen": tally.first.timestamp,
        "last_seen": tally.last.timestamp,
    }


def is_active(at: datetime) -> bool:
    return at > timezone.now() - timedelta(seconds=SESSION_SECONDS)


def active_sessions() -> int:
    since = timezone.now() - timedelta(seconds=SESSION_SECONDS)
    seen = LogRecord.objects.filter(logger=LOGGER, timestamp__gt=since, metadata__has_key="session_id")
    ids = {told.get("session_id") for told in seen.values_list("metadata", flat=True)}
    return len(ids - {None})


def unanswered(records: Iterable[LogRecord]) -> list[dict[str, Any]]:
    """Questions that found nothing close, most asked first, unless the same question found something later."""
    open_: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        told = record.metadata
        query = told.get("arguments", {}).get("query")
        if told.get("tool_name") not in SEARCHES or not isinstance(query, str) or "error" in told:
            continue
        source = str(told["arguments"].get("source_id") or told["arguments"].get("source") or "")
        key = (" ".join(query.lower().split()), source)
        if told.get("result_count") and not told.get("weak"):
            open_.pop(key, None)
            continue
        body = open_.setdefault(key, {"query": query, "source_id": source or None, "count": 0, "clients": []})
        body["count"] += 1
        body["last_asked"] = record.timestamp
        if told.get("client_name") not in body["clients"]:
            body["clients"].append(told.get("client_name"))
    return sorted(open_.values(), key=lambda body: (-body["count"], body["query"]))
