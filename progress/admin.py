"""Progress, its events and the MCP log in the admin: to be read, not edited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from progress.models import LogRecord, Progress, ProgressEvent

COLORS = {"completed": "#2e7d32", "failed": "#c62828", "cancelled": "#8d6e00"}


# Generic for the type checker only; Django 5.2 itself cannot subscript it.
if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(ModelAdmin):
    """Rows that workers write; changing one by hand would make it lie. Deleting is allowed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def progress_bar(row: Progress) -> SafeString:
    return format_html(
        '<progress max="100" value="{}" style="width:8em;accent-color:{}"></progress> {} {}%',
        row.percentage,
        COLORS.get(row.status, "#1565c0"),
        row.status,
        row.percentage,
    )


@admin.register(Progress)
class ProgressAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "bar", "processed_pages", "total_pages", "failed_pages", "sequence", "start_time")
    list_filter = ("status", "kind", "start_time")
    search_fields = ("id", "source_id", "current_url")
    show_full_result_count = False

    @admin.display(description="status", ordering="status")
    def bar(self, row: Progress) -> SafeString:
        return progress_bar(row)


@admin.register(ProgressEvent)
class ProgressEventAdmin(ReadOnlyAdmin):
    list_display = ("progress_id", "sequence", "type", "created_at")
    search_fields = ("progress__id",)
    show_full_result_count = False
    ordering = ("-id",)


@admin.register(LogRecord)
class LogRecordAdmin(ReadOnlyAdmin):
    list_display = ("timestamp", "level", "logger", "message")
    list_filter = ("level", "logger")
    search_fields = ("message",)
    show_full_result_count = False
    ordering = ("-id",)
