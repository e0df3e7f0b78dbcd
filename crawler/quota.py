"""What accounts may take, and what the disk must keep: looked at when a crawl starts, and while crawls run."""

from __future__ import annotations

import logging

from django.conf import settings
from django.db.models import QuerySet

from crawler.errors import CrawlerError, TooMuch
from crawler.models import CrawlJob
from knowledge import allowance
from progress import disk
from progress.disk import free_megabytes
from progress.log_lines import alone
from progress.status import Status
from progress.usage import Kind
from progress.viewer import OPERATOR

logger = logging.getLogger(__name__)


def check(owner_id: int | None) -> None:
    """Raises TooMuch when this account, all together, or the disk have no room for another crawl."""
    _check_disk()
    check_taken(owner_id)
    active = CrawlJob.objects.active()
    _check_waiting(active, "Crawls", "CRAWLS_WAITING_IN_ALL")
    if owner_id is not None:
        _check_waiting(active.filter(progress__owner=owner_id), "Crawls of this account", "CRAWLS_WAITING")


def check_taken(owner_id: int | None) -> None:
    """Raises TooMuch when the pages or the bytes of the day are used up, or the sources keep what they may."""
    refused = allowance.refusal(owner_id, Kind.PAGES, Kind.BYTES)
    if refused is not None:
        raise TooMuch(refused.code, refused.message, hint=refused.hint, retry_after=refused.retry_after)


def _check_waiting(active: QuerySet[CrawlJob], what: str, setting: str) -> None:
    waiting, most = active.count(), getattr(settings, setting)
    if waiting >= most:
        raise TooMuch(
            "too_many_crawls",
            f"{what} that run or wait already: {waiting:,}; {most:,} are allowed.",
            hint=f"Wait until some have ended, or stop one. The operator can raise ARCHON_{setting}.",
            retry_after=60,
        )


def _check_disk() -> None:
    refused = disk.refusal(free_megabytes())
    if refused is not None:
        raise TooMuch(refused.code, refused.message, hint=refused.hint, retry_after=refused.retry_after, status=507)


def pause_what_has_no_room() -> int:
    """Pause what runs before a write fails, and what took its share of the day or of the room; how many were paused.
    Resuming is a person's decision."""
    free = free_megabytes()
    running = CrawlJob.objects.active().exclude(progress__status=Status.PAUSED)
    if free < settings.DISK_FREE_MB:
        reason = f"Paused: only {free:,} MB are free on the disk. Free some space, then resume."
        return sum(_pause(progress_id, reason) for progress_id in running.values_list("progress_id", flat=True))
    reasons: dict[int | None, str] = {}
    paused = 0
    # What only waits for its vectors asks for no page.
    fetching = running.exclude(progress__status=Status.EMBEDDING)
    for progress_id, owner_id in fetching.values_list("progress_id", "progress__owner"):
        if owner_id not in reasons:
            reasons[owner_id] = _used_up(owner_id)
        if reasons[owner_id]:
            paused += _pause(progress_id, reasons[owner_id])
    return paused


def _used_up(owner_id: int | None) -> str:
    refused = allowance.refusal(owner_id, Kind.PAGES, Kind.BYTES)
    return f"Paused: {refused.message} {refused.hint} Then resume." if refused is not None else ""


def _pause(progress_id: str, reason: str) -> bool:
    from crawler import actions

    with alone("not paused:", progress_id):
        try:
            actions.pause(progress_id, line=reason, viewer=OPERATOR)
        except CrawlerError as error:  # it ended or was paused meanwhile
            logger.info("not paused: %s: %s", progress_id, error)
        else:
            return True
    return False
