"""How much of the past is kept: numbered events per progress id, log records, and what was taken."""

from __future__ import annotations

from django.conf import settings

from progress import usage
from progress.models import LogRecord, Progress, ProgressEvent


def trim() -> None:
    """Drop what is beyond the limits. A socket that asks for it gets a snapshot marked `resync`."""
    usage.trim()
    kept = settings.PROGRESS_EVENTS_KEPT
    for progress_id, sequence in Progress.objects.filter(sequence__gt=kept).values_list("pk", "sequence"):
        ProgressEvent.objects.filter(progress=progress_id, sequence__lte=sequence - kept).delete()
    newest = LogRecord.objects.order_by("-id").values_list("id", flat=True).first()
    if newest is not None:
        LogRecord.objects.filter(id__lte=newest - settings.LOG_RECORDS_KEPT).delete()
