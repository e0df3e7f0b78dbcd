"""REST of uploads: parse, call an action, render."""

from __future__ import annotations

import json
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, File, Form, Query, Router, Schema
from ninja.files import UploadedFile as SentFile

from knowledge import uploads
from knowledge.errors import BadUpload
from knowledge.models import Upload, UploadedFile
from progress.plural import plural
from progress.request import refuse_unknown_form_fields
from progress.viewer import viewer_of
from progress.wire import storable

router = Router()

FORM = ("file", "tags", "knowledge_type", "extract_code_examples", "private")


class UploadStarted(Schema):
    success: bool = True
    progressId: str
    sourceId: str
    message: str
    filename: str


class FileError(Schema):
    code: str
    message: str
    hint: str


class UploadedFileOut(Schema):
    """One file, or one stretch of a large one, and what became of it."""

    name: str
    state: str = Field(description="done or failed.")
    reason: str = Field(description="new, changed, unchanged, or alias when another file says the same.")
    content_type: str
    bytes: int
    chunks: int
    page_id: str | None
    error: FileError | None


class UploadFiles(Schema):
    files: list[UploadedFileOut]
    total: int
    page: int
    per_page: int


@router.post("/documents/upload", response=UploadStarted, summary="Upload documents")
def upload_documents(
    request: HttpRequest,
    file: File[list[SentFile]],
    tags: Form[str] = "",
    knowledge_type: Form[str] = "technical",
    extract_code_examples: Form[bool] = True,
    private: Form[bool] = False,
) -> UploadStarted:
    """PDF, DOCX, Markdown, text, reStructuredText and HTML files, and zip archives of them, as one source.

    `tags` is a JSON array of strings. Follow `progressId` on the same socket as a crawl.
    """
    refuse_unknown_form_fields(request, FORM)
    if len(file) > uploads.MAX_FILES:
        raise BadUpload(
            "upload_too_many",
            f"{plural(len(file), 'file')}: expected at most {uploads.MAX_FILES}.",
            hint="Pack them into a zip.",
        )
    upload = uploads.start(
        file,
        uploads.UploadRequest(
            tags=tags_of(tags),
            knowledge_type=storable(knowledge_type),
            extract_code_examples=extract_code_examples,
            viewer=viewer_of(request),
            private=private,
        ),
    )
    names = ", ".join(original["name"] for original in upload.originals)
    return UploadStarted(
        progressId=upload.progress_id,
        sourceId=upload.item.source_id,
        message="Document upload started",
        filename=names,
    )


@router.get("/documents/uploads/{path:progress_id}/files", response=UploadFiles, summary="Every file of an upload")
def list_files(
    request: HttpRequest,
    progress_id: str,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    upload: Upload = uploads.upload_of(progress_id, viewer_of(request))
    rows = UploadedFile.objects.filter(upload=upload).order_by("id")
    first = (page - 1) * per_page
    listed = [file_out(row) for row in rows[first : first + per_page]]
    return {"files": listed, "total": rows.count(), "page": page, "per_page": per_page}


def file_out(row: UploadedFile) -> UploadedFileOut:
    failed = FileError(code=row.error_code, message=row.error_message, hint=row.error_hint) if row.error_code else None
    return UploadedFileOut(
        name=row.name,
        state=row.state,
        reason=row.reason,
        content_type=row.content_type,
        bytes=row.size,
        chunks=row.chunks,
        page_id=str(row.document_id) if row.document_id else None,
        error=failed,
    )


def tags_of(text: str) -> list[str]:
    """A JSON array of strings, as the field of a form carries it; nothing at all means none."""
    try:
        tags = json.loads(text) if text.strip() else []
    except (ValueError, RecursionError):
        tags = None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise BadUpload(
            "upload_tags", "tags is no JSON array of strings.", hint='For example: ["python", "api"]', field="tags"
        )
    return tags
