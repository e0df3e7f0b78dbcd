"""Progress of one long operation, its numbered events, and the log records of the MCP server."""

from __future__ import annotations

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from progress.status import ACTIVE, TERMINAL, Status
from progress.viewer import Viewer


def new_progress_id() -> str:
    return str(uuid.uuid4())


class ProgressQuerySet(models.QuerySet["Progress"]):
    def active(self) -> Self:
        return self.filter(status__in=ACTIVE)

    def visible_to(self, viewer: Viewer) -> Self:
        return self.filter(viewer.seen())


class Progress(models.Model):
    """The truth about one operation. A message on a socket is only news of this row.

    `sequence` is the number of the newest ProgressEvent. Changes that arrive faster than
    events are cut wait here: `unsent` is set, their log lines stand in `unsent_lines` and what
    became of URLs in `unsent_verdicts`.
    """

    class Kind(models.TextChoices):
        CRAWL = "crawl"
        REFRESH = "refresh"
        UPLOAD = "upload"
        EMBED = "embed"
        DESCRIBE = "describe"
        PURGE = "purge"
        IMPORT = "import"

    id = models.CharField(primary_key=True, max_length=200, default=new_progress_id)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.CRAWL)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    # As its source: then it exists for its owner alone. A default of the column, too: a worker of the version before
    # still adds rows while a server is upgraded.
    private = models.BooleanField(default=False, db_default=False)
    status = models.CharField(max_length=16, choices=[(s.value, s.value) for s in Status], default=Status.QUEUED)
    # The status to return to when a paused operation is resumed.
    stage = models.CharField(max_length=16, default=Status.QUEUED)
    percentage = models.PositiveSmallIntegerField(default=0)
    sequence = models.PositiveBigIntegerField(default=0)
    source_id = models.CharField(max_length=64, blank=True, db_index=True)
    current_url = models.TextField(blank=True)
    log = models.TextField(blank=True)
    logs = models.JSONField(default=list)

    total_pages = models.PositiveIntegerField(default=0)
    processed_pages = models.PositiveIntegerField(default=0)
    failed_pages = models.PositiveIntegerField(default=0)
    skipped_pages = models.PositiveIntegerField(default=0)
    discovered_urls = models.PositiveIntegerField(default=0)
    chunks_stored = models.PositiveIntegerField(default=0)
    embedded_chunks = models.PositiveIntegerField(default=0)
    code_examples_stored = models.PositiveIntegerField(default=0)
    word_count = models.PositiveBigIntegerField(default=0)

    pages_per_second = models.FloatField(null=True)
    eta_seconds = models.FloatField(null=True)
    queue_position = models.PositiveIntegerField(null=True)
    # {code, message, hint} of the failure; empty unless status is failed.
    error = models.JSONField(default=dict, blank=True)

    # Samples [seconds, done, total] of the last moments; the rate and the ETA come from them.
    samples = models.JSONField(default=list)
    unsent = models.BooleanField(default=False, db_index=True)
    unsent_lines = models.JSONField(default=list)
    # UrlVerdicts that no event has told yet.
    unsent_verdicts = models.JSONField(default=list)

    start_time = models.DateTimeField(default=timezone.now, db_index=True)
    updated_at = models.DateTimeField(default=timezone.now)
    event_at = models.DateTimeField(default=timezone.now)
    completed_at = models.DateTimeField(null=True)

    objects = ProgressQuerySet.as_manager()

    class Meta:
        ordering = ("-start_time",)
        verbose_name_plural = "progress"
        indexes = (models.Index(fields=["status", "start_time"], name="progress_status"),)

    def __str__(self) -> str:
        return f"{self.id} {self.status} {self.percentage}%"

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL


class ProgressEvent(models.Model):
    """One numbered step: the snapshot at that moment and the log lines that were new in it.

    `payload` is the text of a JSON object without `logs`. Text and not JSONField, so that a
    replayed frame equals the live one letter for letter (jsonb would reorder its keys).
    """

    progress = models.ForeignKey(Progress, on_delete=models.CASCADE, related_name="events")
    sequence = models.PositiveBigIntegerField()
    type = models.CharField(max_length=32)
    payload = models.TextField()
    lines = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("progress", "sequence")
        constraints = (models.UniqueConstraint(fields=["progress", "sequence"], name="event_sequence"),)

    def __str__(self) -> str:
        return f"{self.progress_id} #{self.sequence} {self.type}"


class Usage(models.Model):
    """What an account took at one moment: progress/usage.py counts it against the limits."""

    class Kind(models.TextChoices):
        PAGES = "pages"
        BYTES = "bytes"
        QUESTIONS = "questions"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    amount = models.PositiveBigIntegerField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = (models.Index(fields=["kind", "at"], name="usage_kind"),)

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.amount} {self.kind}"


class LogRecord(models.Model):
    """One line of the MCP log, as `/api/mcp/logs/stream` shows it."""

    timestamp = models.DateTimeField(default=timezone.now, db_index=True)
    level = models.CharField(max_length=16, default="INFO")
    logger = models.CharField(max_length=128)
    message = models.TextField()
    metadata = models.JSONField(default=dict)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.timestamp:%H:%M:%S} {self.level} {self.message[:80]}"
