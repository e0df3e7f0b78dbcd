"""What one account may take, and what the disk must keep: looked at when a crawl starts, and while crawls run."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from crawler.errors import CrawlerError, TooMuch
from crawler.models import CrawlJob
from progress.models import Progress

logger = logging.getLogger(__name__)

DAY = timedelta(days=1)
MEGABYTE = 2**20


def check(owner_id: int | None) -> None:
    """Raises TooMuch when this account, or the disk, has no room for another crawl."""
    _check_disk()
    if owner_id is None:
        return
    waiting = CrawlJob.objects.active().filter(progress__owner=owner_id).count()
    if waiting >= settings.CRAWLS_WAITING:
        raise TooMuch(
            "too_many_crawls",
            f"{waiting} crawls of this account run or wait already.",
            hint="Wait until some have ended, or stop one. The operator can raise ARCHON_CRAWLS_WAITING.",
            retry_after=60,
        )
    taken = pages_of_the_day(owner_id)
    if settings.PAGES_PER_DAY and taken >= settings.PAGES_PER_DAY:
        raise TooMuch(
            "pages_per_day",
            f"This account crawled {taken:,} pages within a day; {settings.PAGES_PER_DAY:,} are allowed.",
            hint="Come back tomorrow. The operator can raise ARCHON_PAGES_PER_DAY.",
            retry_after=3_600,
        )


def pages_of_the_day(owner_id: int) -> int:
    """Pages that the crawls of one account, started within the last 24 hours, have processed."""
    day = Progress.objects.filter(owner=owner_id, start_time__gte=timezone.now() - DAY)
    return int(day.aggregate(pages=Sum("processed_pages"))["pages"] or 0)


def free_megabytes() -> int:
    return shutil.disk_usage(settings.DATA_DIR).free // MEGABYTE


def _check_disk() -> None:
    free = free_megabytes()
    if free < settings.DISK_FREE_MB:
        raise TooMuch(
            "disk_full",
            f"Only {free:,} MB are free on the disk; crawls need {settings.DISK_FREE_MB:,} MB left over.",
            hint="Free some space or delete a source. ARCHON_DISK_FREE_MB sets the mark.",
            retry_after=600,
            status=507,
        )


def pause_when_the_disk_is_full() -> int:
    """Pause what runs before a write fails; how many were paused. Resuming is a person's decision."""
    from crawler import actions

    free = free_megabytes()
    if free >= settings.DISK_FREE_MB:
        return 0
    paused = 0
    running = CrawlJob.objects.active().exclude(progress__status="paused")
    for progress_id in running.values_list("progress_id", flat=True):
        reason = f"Paused: only {free:,} MB are free on the disk. Free some space, then resume."
        try:
            with transaction.atomic():
                actions.pause(progress_id, line=reason)
            paused += 1
        except CrawlerError as error:  # it ended or was paused meanwhile
            logger.info("not paused: %s: %s", progress_id, error)
    return paused
