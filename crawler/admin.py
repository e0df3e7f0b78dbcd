"""Crawl jobs in the admin: what runs, how far it is, what failed and why; cancel, retry, refresh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe

from crawler import actions, hosts
from crawler.errors import CrawlerError
from crawler.models import CrawlJob, CrawlUrl
from crawler.politeness import UNLIMITED
from progress.admin import ReadOnlyAdmin, progress_bar
from progress.plural import plural
from progress.viewer import OPERATOR


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        from progress.status import Status

        return [(status.value, status.value) for status in Status]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CrawlJob]) -> QuerySet[CrawlJob]:
        return queryset.filter(progress__status=self.value()) if self.value() else queryset


def link(name: str, pk: object, text: object) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse(f"admin:{name}_change", args=[pk]), text)


@admin.register(CrawlJob)
class CrawlJobAdmin(ReadOnlyAdmin):
    list_display = ("url", "status", "pages", "failed", "duration", "error", "source", "created_at")
    list_filter = (StatusFilter, "render", "created_at")
    search_fields = ("url", "progress__id", "item__title", "item__source_id")
    list_select_related = ("progress", "item")
    show_full_result_count = False
    actions = ("cancel_crawls", "retry_failed_pages", "refresh_sources")
    fields = (
        "url", "status", "pages", "failed", "duration", "error", "source", "progress_link", "urls_link", "hosts",
        "scope", "detected", "max_pages", "render", "respect_robots", "truncated", "generation", "created_at",
    )  # fmt: skip
    readonly_fields = (
        "status", "detected", "pages", "failed", "duration", "error", "source", "progress_link", "urls_link", "hosts",
    )  # fmt: skip

    @admin.display(description="status", ordering="progress__status")
    def status(self, job: CrawlJob) -> SafeString:
        return progress_bar(job.progress)

    @admin.display(description="pages", ordering="progress__processed_pages")
    def pages(self, job: CrawlJob) -> str:
        return f"{job.progress.processed_pages} of {job.progress.total_pages}"

    @admin.display(description="failed", ordering="progress__failed_pages")
    def failed(self, job: CrawlJob) -> str | SafeString:
        count = job.progress.failed_pages
        return format_html('<a href="{}">{}</a>', urls_of(job, state="failed"), count) if count else "0"

    @admin.display(description="duration")
    def duration(self, job: CrawlJob) -> str:
        seconds = ((job.progress.completed_at or job.progress.updated_at) - job.progress.start_time).total_seconds()
        return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"

    @admin.display(description="error")
    def error(self, job: CrawlJob) -> str:
        reason = job.progress.error
        return f"{reason['code']}: {reason['message']} {reason['hint']}" if reason else "-"

    @admin.display(description="detected")
    def detected(self, job: CrawlJob) -> str:
        """What the address was found to be, and which sitemaps and llms.txt were read."""
        files = [f"{read['url']} ({read['kind']}, {read['urls']} addresses)" for read in job.discovery.get("files", ())]
        return "; ".join([job.discovery.get("kind", "-"), *files])

    @admin.display(description="source")
    def source(self, job: CrawlJob) -> SafeString:
        return link("knowledge_knowledgeitem", job.item_id, job.item.title)

    @admin.display(description="progress")
    def progress_link(self, job: CrawlJob) -> SafeString:
        return link("progress_progress", job.progress_id, job.progress_id)

    @admin.display(description="hosts")
    def hosts(self, job: CrawlJob) -> SafeString:
        """How fast each host is asked, over all workers, and whether it is left alone for now."""
        return format_html_join(mark_safe("<br>"), "{}", ((host_line(host),) for host in hosts.of_crawl(job)))

    @admin.display(description="URLs")
    def urls_link(self, job: CrawlJob) -> SafeString:
        return format_html('<a href="{}">every URL of this crawl</a>', urls_of(job))

    @admin.action(description="Cancel the selected crawls")
    def cancel_crawls(self, request: HttpRequest, jobs: QuerySet[CrawlJob]) -> None:
        self._each(request, jobs, "cancelled", lambda job: actions.cancel(job.progress_id, viewer=OPERATOR))

    @admin.action(description="Retry the failed pages of the selected crawls")
    def retry_failed_pages(self, request: HttpRequest, jobs: QuerySet[CrawlJob]) -> None:
        self._each(request, jobs, "retried", lambda job: actions.retry_failed(job.progress_id, viewer=OPERATOR))

    @admin.action(description="Refresh the sources of the selected crawls")
    def refresh_sources(self, request: HttpRequest, jobs: QuerySet[CrawlJob]) -> None:
        self._each(request, jobs, "refreshed", lambda job: actions.refresh(job.item.source_id, viewer=OPERATOR))

    def _each(
        self, request: HttpRequest, jobs: QuerySet[CrawlJob], done: str, action: Callable[[CrawlJob], object]
    ) -> None:
        """Every job gets its own answer: one that cannot be moved says why, the others go on."""
        for job in jobs.select_related("progress", "item"):
            try:
                action(job)
            except CrawlerError as error:
                self.message_user(request, f"{job.url}: {error.message} {error.hint}", messages.ERROR)
            else:
                self.message_user(request, f"{job.url}: {done}.", messages.SUCCESS)


def host_line(host: hosts.HostOfCrawl) -> str:
    limit = "as fast as it answers" if host.pace.is_free else f"{host.pace.delay:g} s between requests"
    if not host.pace.is_free and host.pace.concurrency < UNLIMITED:
        limit += f", {host.pace.concurrency} in flight"
    row = host.row
    if row is not None and row.held_until is not None:
        asked = plural(row.holds, "time")
        limit += f"; asked for patience {asked}, last until {row.held_until:%d %b %H:%M:%S}"
    return f"{host.origin}: {limit}" + (f". {host.trouble}" if host.trouble else "")


def urls_of(job: CrawlJob, *, state: str = "") -> str:
    query: dict[str, str | int] = {"job__id__exact": job.pk, **({"state__exact": state} if state else {})}
    return f"{reverse('admin:crawler_crawlurl_changelist')}?{urlencode(query)}"


@admin.register(CrawlUrl)
class CrawlUrlAdmin(ReadOnlyAdmin):
    list_display = (
        "url",
        "state",
        "reason",
        "http_status",
        "milliseconds",
        "size",
        "rendered",
        "chunks",
        "attempts",
        "error_message",
    )
    list_filter = ("state", "rendered")
    search_fields = ("url",)
    # Counting and joining 100,000 rows for every page would be what makes this list slow.
    show_full_result_count = False
    list_select_related = False
    list_per_page = 100
    ordering = ("-id",)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "job__id__exact" or super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]
