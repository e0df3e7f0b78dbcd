"""What ended lately becomes deliveries: one for every address that asked for such news."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from archon.webhooks.models import Delivery, Webhook
from crawler.models import CrawlJob, CrawlUrl
from progress.messages import payload_of
from progress.models import Progress
from progress.status import TERMINAL, Status
from progress.viewer import account
from progress.wire import encode

# Longer than any outage of beat that somebody would want to hear about late.
LOOK_BACK = timedelta(days=1)
CHANGES = ("new", "changed")


def collect() -> int:
    """How many deliveries were made of ends that nobody was told of yet."""
    hooks = list(Webhook.objects.filter(active=True).select_related("owner"))
    return sum(_collect_for(hook) for hook in hooks)


def _collect_for(hook: Webhook) -> int:
    since = max(hook.created_at, timezone.now() - LOOK_BACK)
    told = Delivery.objects.filter(webhook=hook).values("key")
    jobs = CrawlJob.objects.filter(progress__status__in=TERMINAL, progress__completed_at__gte=since)
    jobs = jobs.exclude(progress_id__in=told).select_related("progress", "item")
    viewer = account(hook.owner_id)
    jobs = jobs.filter(viewer.seen("item__"))
    if not hook.owner.is_staff:
        jobs = jobs.filter(Q(progress__owner=hook.owner_id))
    deliveries = [delivery for job in jobs[:500] for delivery in _deliveries(hook, job)]
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    return len(deliveries)


def _deliveries(hook: Webhook, job: CrawlJob) -> Iterator[Delivery]:
    for event in events_of(job):
        if event in hook.events:
            yield Delivery(webhook=hook, event=event, key=job.progress_id, body=body_of(event, job))


def events_of(job: CrawlJob) -> list[str]:
    status = Status(job.progress.status)
    if status is Status.FAILED:
        return [Webhook.Event.FAILED]
    if status is not Status.COMPLETED:
        return []
    refreshed = job.progress.kind == Progress.Kind.REFRESH
    changed = refreshed and CrawlUrl.objects.filter(job=job, reason__in=CHANGES).exists()
    return [Webhook.Event.FINISHED, *([Webhook.Event.CHANGED] if changed else [])]


def body_of(event: str, job: CrawlJob) -> str:
    """The news and the snapshot that sockets saw last, without its log."""
    return encode(
        {
            "event": event,
            "source": {"id": job.item.source_id, "title": job.item.title, "url": job.item.url},
            "progress": payload_of(job.progress),
        }
    )
