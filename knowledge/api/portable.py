"""A source as a file: out, and in again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import File, Router, Status
from ninja.files import UploadedFile

from knowledge import portable, schemas
from progress.request import refuse_unknown_form_fields
from progress.threads import in_pool
from progress.viewer import viewer_of

router = Router()

BYTES_AT_ONCE = 256 * 1024


@router.get(
    "/knowledge-items/{source_id}/export",
    summary="A source as a file",
    openapi_extra={"responses": {200: {"description": "Lines of JSON", "content": {"application/jsonl": {}}}}},
)
def export_item(request: HttpRequest, source_id: str) -> StreamingHttpResponse:
    """One JSON object a line: header, pages with chunks and vectors, aliases, end. docs/export.md tells the fields."""
    lines = portable.export_lines(source_id, viewer_of(request))
    first = next(lines)
    response = StreamingHttpResponse(_parts(first, lines), content_type="application/jsonl; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="source.archon.jsonl"'
    response["X-Accel-Buffering"] = "no"
    return response


@router.post("/knowledge-items/import", response={202: schemas.ImportStarted}, summary="Take an exported source")
def import_item(request: HttpRequest, file: File[UploadedFile]) -> Status[dict[str, Any]]:
    """Follow `progressId` as a crawl's. What is there already stays; the same file twice changes nothing."""
    refuse_unknown_form_fields(request, ("file",))
    row = portable.start(file, viewer=viewer_of(request))
    return Status(202, {"progressId": row.pk, "sourceId": row.source_id, "message": "Import started"})


async def _parts(first: str, lines: Iterator[str]) -> AsyncIterator[bytes]:
    yield first.encode()
    while part := await in_pool(_some, lines):
        yield part


def _some(lines: Iterator[str]) -> bytes:
    """Whole lines, so many that they are worth a packet; nothing at the end."""
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        gathered.append(line.encode())
        size += len(gathered[-1])
        if size >= BYTES_AT_ONCE:
            break
    return b"".join(gathered)
