"""Sources whose newest crawl, upload or import failed: whatever lists a source shows it, with the reason."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import OuterRef, Subquery

from knowledge.messages import SourceFailure
from knowledge.models import KnowledgeItem
from progress.models import Progress
from progress.status import Status

# What fills a source; a purge or a space of vectors says nothing of how well it was read.
FILLING = (Progress.Kind.CRAWL, Progress.Kind.REFRESH, Progress.Kind.UPLOAD, Progress.Kind.IMPORT)
NEXT_STEP = "Look at the pages of that crawl for what went wrong, mend it, and refresh the source."


def failures_of(items: Iterable[KnowledgeItem]) -> dict[str, SourceFailure]:
    """By source id, only of those that failed last. One query; one that runs again is no failure yet."""
    newest = Progress.objects.filter(source_id=OuterRef("source_id"), kind__in=FILLING).order_by("-start_time", "-pk")
    last = KnowledgeItem.objects.filter(pk__in=[item.pk for item in items]).order_by()
    failed = Progress.objects.filter(
        pk__in=last.annotate(newest=Subquery(newest.values("pk")[:1])).values("newest"), status=Status.FAILED
    )
    return {
        row.source_id: SourceFailure(
            code=row.error.get("code", ""),
            message=row.error.get("message", ""),
            hint=row.error.get("hint") or NEXT_STEP,
            progress_id=row.pk,
            failed_at=row.completed_at or row.updated_at,
        )
        for row in failed.only("source_id", "error", "completed_at", "updated_at")
    }
