"""The progress of operations over plain HTTP, for clients behind proxies that break WebSockets."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from ninja import Query, Router, Schema

from progress import history, logs
from progress.errors import UnknownProgress
from progress.messages import payload_of, snapshot
from progress.models import LogRecord, Progress
from progress.viewer import viewer_of
from progress.wire import encode

router = Router(tags=["progress"])


class ActiveOperations(Schema):
    """Each as `GET /progress/{progress_id}` tells it, without its log lines."""

    operations: list[dict[str, Any]]
    count: int
    timestamp: datetime


class LogRecords(Schema):
    """The newest records, oldest first, in the shape of the stream; `total` is how many are stored."""

    logs: list[dict[str, Any]]
    count: int
    total: int


class LogsCleared(Schema):
    success: bool
    message: str
    deleted: int


def json_response(body: object) -> HttpResponse:
    return HttpResponse(encode(body), content_type="application/json")


@router.get("/progress/", summary="Operations that are not over", response=ActiveOperations)
def list_active(request: HttpRequest) -> HttpResponse:
    rows = [payload_of(row) for row in Progress.objects.active().visible_to(viewer_of(request))]
    return json_response({"operations": rows, "count": len(rows), "timestamp": timezone.now()})


@router.get("/progress/{path:progress_id}", summary="State of one operation", response=dict[str, Any])
def read_progress(
    request: HttpRequest, progress_id: str, since: Annotated[int | None, Query(ge=0, le=10**15)] = None
) -> HttpResponse:
    """`since=N` adds the events after N. The ETag is the sequence: 304 while nothing happened."""
    row = history.known(progress_id).filter(viewer_of(request).seen()).first()
    if row is None:
        raise UnknownProgress(f"No operation has the progress id {progress_id!r}.", field="progress_id")
    etag = f'"{row.sequence}-{row.status}"'
    unchanged = get_conditional_response(request, etag=etag) if since is None else None
    response = unchanged or json_response(_state(row, since))
    response["ETag"] = etag
    response["Cache-Control"] = "no-cache"
    response["X-Poll-Interval"] = "0" if row.ended else "1000"
    return response


def _state(row: Progress, since: int | None) -> dict[str, object]:
    body: dict[str, object] = {**snapshot(row)}
    if since is not None:
        body["events"] = [json.loads(text) for text in history.frames_since(row.id, since).texts]
    return body


@router.get("/mcp/logs", summary="Newest log records of the assistants' server", response=LogRecords)
def read_logs(request: HttpRequest, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> HttpResponse:
    """What is stored, whoever wrote it; the same objects as on `/api/mcp/logs/stream`."""
    records = [logs.body_of(record) for record in logs.newest(limit)]
    return json_response({"logs": records, "count": len(records), "total": LogRecord.objects.count()})


@router.delete("/mcp/logs", summary="Forget all log records of the assistants' server", response=LogsCleared)
def clear_logs(request: HttpRequest) -> HttpResponse:
    """Open streams stay open and go on with the next record."""
    deleted = logs.clear()
    return json_response({"success": True, "message": f"Deleted {deleted} log records.", "deleted": deleted})
