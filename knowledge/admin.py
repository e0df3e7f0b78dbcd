"""Browsing what was learned. Rows come from crawls: here a source is renamed, tagged or deleted, nothing else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from knowledge import actions
from knowledge.models import Chunk, CodeExample, Document, KnowledgeItem, Upload, UploadedFile
from progress.viewer import OPERATOR

EDITABLE = ("title", "description", "knowledge_type", "tags", "status", "update_frequency", "group_name", "private")


class KnowledgeAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Counting 200,000 rows for every page of a list is what makes an admin slow."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


class StoredTextAdmin(KnowledgeAdmin):
    """Documents and chunks belong to their source: changed alone, they would fall out of counts and index."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(KnowledgeItem)
class KnowledgeItemAdmin(KnowledgeAdmin):
    list_display = ("title", "source_id", "knowledge_type", "status", "document_count", "chunk_count", "updated_at")
    list_filter = ("status", "knowledge_type", "source_type")
    search_fields = ("title", "url", "source_id", "description")
    fields = (
        *EDITABLE,
        "owner",
        "source_id",
        "url",
        "source_type",
        "document_count",
        "chunk_count",
        "code_example_count",
        "word_count",
        "fetched_at",
    )
    readonly_fields = tuple(field for field in fields if field not in EDITABLE)

    def get_queryset(self, request: HttpRequest) -> QuerySet[KnowledgeItem]:
        return super().get_queryset(request).filter(deleted_at=None)

    def save_model(self, request: HttpRequest, obj: KnowledgeItem, form: Any, change: bool) -> None:
        changes = {field: form.cleaned_data[field] for field in form.changed_data if field in EDITABLE}
        actions.update_item(obj.source_id, actions.ItemChanges(**changes), viewer=OPERATOR)  # type: ignore[typeddict-item]

    def delete_model(self, request: HttpRequest, obj: KnowledgeItem) -> None:
        actions.delete_item(obj.source_id, viewer=OPERATOR)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[KnowledgeItem]) -> None:
        for item in queryset:
            actions.delete_item(item.source_id, viewer=OPERATOR)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """The counts instead of a tree of every chunk."""
        items = list(objs)
        counts = {
            "sources": len(items),
            "documents": sum(item.document_count for item in items),
            "chunks": sum(item.chunk_count for item in items),
            "code examples": sum(item.code_example_count for item in items),
        }
        return [str(item) for item in items], counts, set(), []


@admin.register(Document)
class DocumentAdmin(StoredTextAdmin):
    list_display = ("title", "url", "item", "http_status", "chunk_count", "fetched_at")
    list_select_related = ("item",)
    list_filter = ("http_status",)
    search_fields = ("title", "url")
    raw_id_fields = ("item", "alias_of")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        return super().get_queryset(request).defer("markdown")


@admin.register(Chunk)
class ChunkAdmin(StoredTextAdmin):
    list_display = ("id", "heading_path", "item", "document", "ordinal", "char_count")
    list_select_related = ("item", "document")
    search_fields = ("heading_path", "content")
    raw_id_fields = ("item", "document")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Chunk]:
        return super().get_queryset(request).defer("document__markdown")


@admin.register(Upload)
class UploadAdmin(StoredTextAdmin):
    list_display = ("__str__", "item", "status", "error", "created_at")
    list_select_related = ("item", "progress")
    search_fields = ("progress__id", "item__title", "item__source_id")

    @admin.display(description="status", ordering="progress__status")
    def status(self, upload: Upload) -> str:
        return f"{upload.progress.status} {upload.progress.percentage}%"

    @admin.display(description="error")
    def error(self, upload: Upload) -> str:
        reason = upload.progress.error
        return f"{reason['code']}: {reason['message']} {reason['hint']}" if reason else "-"


@admin.register(UploadedFile)
class UploadedFileAdmin(StoredTextAdmin):
    list_display = ("name", "state", "reason", "content_type", "size", "chunks", "error_message")
    list_filter = ("state",)
    search_fields = ("name", "upload__progress__id")


@admin.register(CodeExample)
class CodeExampleAdmin(StoredTextAdmin):
    list_display = ("id", "title", "language", "item", "document", "ordinal")
    list_select_related = ("item", "document")
    list_filter = ("language",)
    search_fields = ("title", "summary", "code")
    raw_id_fields = ("item", "document")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CodeExample]:
        return super().get_queryset(request).defer("document__markdown")
