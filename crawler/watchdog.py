"""What nobody works on: leases of dead processes are freed at once, crawls that no wake-up revives are failed."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from crawler.models import CrawlJob, CrawlUrl
from crawler.owners import is_gone
from crawler.record import STALLED
from knowledge.actions import knowledge_changed
from progress import tracker
from progress.errors import ProgressEnded
from progress.messages import ErrorBody

# A job that waits in a long queue is not asked for again before this.
WAKE_SECONDS = 10


def free_leases_of_the_dead() -> list[CrawlJob]:
    """The crawls that lost a worker of this machine. The lost lease has cost the page an attempt, as an expired one."""
    now = timezone.now()
    live = CrawlUrl.objects.filter(state=CrawlUrl.State.LEASED, lease_until__gte=now)
    gone = [owner for owner in live.values_list("lease_owner", flat=True).distinct() if is_gone(owner)]
    if not gone:
        return []
    lost = live.filter(lease_owner__in=gone)
    jobs = list(CrawlJob.objects.filter(pk__in=lost.values("job")).select_related("progress"))
    lost.update(lease_until=now - timedelta(milliseconds=1))
    return jobs


def let_be_woken(job: CrawlJob) -> None:
    """The next sweep wakes it, however short ago that was done: the one who was woken is told to stop."""
    CrawlJob.objects.filter(pk=job.pk).update(woken_at=timezone.now() - timedelta(seconds=WAKE_SECONDS))


def unanswered(job: CrawlJob) -> int:
    """How many wake-ups in a row have led to no event, with the one that is to be sent now.

    Counted and not timed: a machine that slept, or a clock that was set, must not fail anything.
    """
    return 0 if job.progress.event_at > job.woken_at else job.unanswered + 1


def give_up(job: CrawlJob, count: int) -> bool:
    """Remember how often the crawl was woken in vain; fail it when that is enough. Whether it was failed."""
    CrawlJob.objects.filter(pk=job.pk).update(unanswered=count)
    limit = max(1, round(settings.CRAWL_STALL_MINUTES * 60 / WAKE_SECONDS))
    minute = 60 // WAKE_SECONDS
    try:
        if count >= limit:
            _fail(job)
            return True
        if count == minute:
            with transaction.atomic():
                row = tracker.lock(job.progress_id)
                tracker.update(row.id, row=row, lines=["No worker has taken this crawl up for a minute; asking again."])
                tracker.flush(row.id)
                # This event is ours, and no answer.
                CrawlJob.objects.filter(pk=job.pk).update(woken_at=row.event_at)
    except ProgressEnded:
        return True
    return False


def _fail(job: CrawlJob) -> None:
    with transaction.atomic():
        row = tracker.lock(job.progress_id)
        left = CrawlUrl.objects.filter(job=job).outstanding()
        count = left.update(state=CrawlUrl.State.SKIPPED, reason=STALLED, lease_owner="", lease_until=None)
        row.total_pages -= count
        row.skipped_pages += count
        tracker.fail(job.progress_id, _error(job), row=row)
        knowledge_changed(job.item.source_id, "updated")


def _error(job: CrawlJob) -> ErrorBody:
    minutes = settings.CRAWL_STALL_MINUTES
    span = "a minute" if minutes == 1 else f"{minutes:g} minutes"
    return ErrorBody(
        code=STALLED,
        message=f"No worker has got anywhere with {job.url} for {span}, although asked again and again.",
        hint="See whether workers run (`manage.py doctor`) and what their log says, then start the crawl again.",
    )
