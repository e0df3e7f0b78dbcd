"""A crawl job and its frontier: one row per URL, which is also the truth about that URL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from crawler.robots import RobotsRules
from knowledge.models import Document, KnowledgeItem
from progress.models import Progress
from progress.status import ACTIVE

# A page that may be fetched at once. Not the moment it was found: that lies in the future once the clock was set back.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


def lease_limit(now: datetime) -> datetime:
    """No lease that was taken by this clock ends later; one that does was taken before the clock was set back."""
    return now + timedelta(seconds=2 * settings.CRAWL_LEASE_SECONDS)


class CrawlJobQuerySet(models.QuerySet["CrawlJob"]):
    def active(self) -> Self:
        return self.filter(progress__status__in=ACTIVE)

    def of(self, progress_id: str) -> Self:
        return self.filter(progress=progress_id)


class CrawlJob(models.Model):
    """One crawl: what was asked for, the item it fills and the progress it reports to.

    Its status is that of its Progress row and stands nowhere else.
    """

    class Render(models.TextChoices):
        AUTO = "auto"
        HTTP = "http"
        BROWSER = "browser"

    item = models.ForeignKey(KnowledgeItem, on_delete=models.CASCADE, related_name="jobs")
    progress = models.OneToOneField(Progress, on_delete=models.CASCADE, related_name="job")
    url = models.TextField()
    scope = models.JSONField()
    max_pages = models.PositiveIntegerField()
    render = models.CharField(max_length=8, choices=Render.choices, default=Render.AUTO)
    respect_robots = models.BooleanField(default=True)
    extract_code_examples = models.BooleanField(default=True)
    # Pages are asked for only if they changed. One that did not is not sent, and its links are not seen: only for a
    # crawl that begins with all pages that are known.
    conditional = models.BooleanField(default=False, db_default=False)
    # Documents stored by this job carry this number; a refresh removes those that kept an older one.
    generation = models.PositiveIntegerField(default=1)
    # What the seed is and which sitemaps and llms.txt were read, with counts: Beginning.to_json().
    discovery = models.JSONField(default=dict, blank=True)
    truncated = models.CharField(max_length=64, blank=True)
    # Null and not empty where there is none: the unique index lets only nulls repeat.
    idempotency_key = models.CharField(max_length=200, null=True, unique=True)  # noqa: DJ001
    # Of the request that brought the key: whoever sends it again must ask for the same.
    request_hash = models.CharField(max_length=64, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    # When a worker was last asked to take a slice; a wake-up can be lost, so the sweep asks again.
    woken_at = models.DateTimeField(default=timezone.now)
    # Wake-ups of the sweep in a row after which nothing happened.
    unanswered = models.PositiveIntegerField(default=0)

    objects = CrawlJobQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.url} ({self.progress_id})"


class CrawlUrlQuerySet(models.QuerySet["CrawlUrl"]):
    def due(self, now: datetime) -> Self:
        """Free to claim: queued and not held back, or leased by a worker that is gone."""
        queued = Q(state=CrawlUrl.State.QUEUED, next_at__lte=now)
        over = Q(lease_until__lt=now) | Q(lease_until__gt=lease_limit(now))
        return self.filter(queued | Q(over, state=CrawlUrl.State.LEASED))

    def outstanding(self) -> Self:
        return self.filter(state__in=(CrawlUrl.State.QUEUED, CrawlUrl.State.LEASED))


class CrawlUrl(models.Model):
    """One URL of one crawl. `epoch` rises with every claim; a write under an older one is void."""

    class State(models.TextChoices):
        QUEUED = "queued"
        LEASED = "leased"
        DONE = "done"
        FAILED = "failed"
        SKIPPED = "skipped"

    job = models.ForeignKey(CrawlJob, on_delete=models.CASCADE, related_name="urls")
    url = models.TextField()
    url_hash = models.CharField(max_length=32)
    # Which pages differ from it only in the values of their parameters. Null without parameters, since the databases
    # use an index over rows that are not null for a lookup, but none over rows that are not empty.
    family = models.CharField(max_length=32, null=True)  # noqa: DJ001
    depth = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    # Why it was skipped, or what became of it: new, changed, unchanged, alias, redirected.
    reason = models.CharField(max_length=64, blank=True)

    # The first page, or the file of its site, that led to it; empty for the seed, and where several files did.
    found_on = models.TextField(blank=True, default="", db_default="")

    # Where its Markdown is to be had, when the site offers that; the page keeps its own address.
    twin = models.TextField(blank=True)
    # Of a part of a file (a section, a stretch of a PDF, a file of an archive): the hash of that file's URL. It was
    # read with it and is never fetched alone. Null for a page of its own.
    container = models.CharField(max_length=32, null=True)  # noqa: DJ001

    lease_owner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True)
    epoch = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    # How often the host asked to come back later (429, 503 with Retry-After): that costs no attempt.
    throttles = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=AT_ONCE)

    http_status = models.PositiveSmallIntegerField(null=True)
    milliseconds = models.PositiveIntegerField(null=True)
    size = models.PositiveBigIntegerField(null=True)
    # Its text is what a browser showed when the page's scripts had run.
    rendered = models.BooleanField(default=False)
    chunks = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)
    error_hint = models.TextField(blank=True)
    document = models.ForeignKey(Document, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    discovered_at = models.DateTimeField(default=timezone.now)
    fetched_at = models.DateTimeField(null=True)

    objects = CrawlUrlQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["job", "url_hash"], name="url_once_per_job"),)
        indexes = (
            models.Index(fields=["job", "state", "depth", "id"], name="url_claim"),
            models.Index(fields=["lease_until"], name="url_lease", condition=Q(state="leased")),
            models.Index(fields=["container"], name="url_container", condition=Q(container__isnull=False)),
            models.Index(fields=["job", "family"], name="url_family", condition=Q(family__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.state} {self.url}"


class CrawlRobotsQuerySet(models.QuerySet["CrawlRobots"]):
    def answered(self) -> Self:
        return self.filter(status__lt=500)

    def unanswered(self) -> Self:
        return self.filter(Q(status=None) | Q(status__gte=500))


class CrawlRobots(models.Model):
    """The robots.txt of one origin as a crawl found it: the first that a worker stored, by which all of them judge.

    One that did not answer, or with a fault of its server, is asked for again; until then `error` says why.
    """

    job = models.ForeignKey(CrawlJob, on_delete=models.CASCADE, related_name="robots")
    origin = models.CharField(max_length=300)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)
    error = models.TextField(blank=True, default="", db_default="")

    objects = CrawlRobotsQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["job", "origin"], name="robots_once_per_job"),)

    def __str__(self) -> str:
        return f"{self.status or self.error} {self.origin}/robots.txt"

    @property
    def rules(self) -> RobotsRules:
        return RobotsRules(self.status, self.body, self.error)


class Host(models.Model):
    """What a host (scheme, name, port) asked of us. While `held_until` lies ahead no worker asks it for a page."""

    origin = models.CharField(max_length=300, unique=True)
    held_until = models.DateTimeField(null=True)
    held_status = models.PositiveSmallIntegerField(null=True)
    held_seconds = models.FloatField(null=True)
    held_at = models.DateTimeField(null=True)
    holds = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("origin",)

    def __str__(self) -> str:
        return self.origin
