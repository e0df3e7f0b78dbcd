"""The Celery shells of crawling. A message carries a job id; losing one loses nothing, sweep asks again."""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_process_shutdown, worker_ready
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from crawler import admission, frontier, quota, watchdog
from crawler.models import CrawlJob, CrawlUrl
from knowledge.embedding import preflight
from knowledge.models import KnowledgeItem
from progress import tracker
from progress.errors import ProgressEnded, UnknownProgress
from progress.failpoints import failpoint
from progress.log_lines import about, alone
from progress.status import Status
from progress.viewer import OPERATOR

logger = logging.getLogger(__name__)

TRY_AGAIN_HOURS = 24


@worker_init.connect
def load_engine(**_: Any) -> None:
    """In the worker's parent, before it forks: crawl4ai takes a second and 100 MB, paid once for all children."""
    from crawler.fetcher import preload

    importlib.import_module("crawler.slice")
    preload(str(settings.DATA_DIR / "crawl4ai"))
    # Pages make many small objects and few cycles: the default threshold would search them 50 times a page.
    gc.set_threshold(50_000, 20, 20)
    gc.freeze()


@worker_ready.connect
def sweep_at_once(**_: Any) -> None:
    """What the worker before this one left need not wait for beat's next turn."""
    with contextlib.suppress(OperationalError):
        sweep.delay()


@worker_process_shutdown.connect
def close_engine(**_: Any) -> None:
    from crawler import engine

    engine.close()


@shared_task(ignore_result=True)
def crawl_slice(job_id: int) -> None:
    """Crawl for a bounded time, then hand on. Safe to run twice at once: leases keep the slices apart."""
    from crawler import slice  # brings crawl4ai; only a worker that crawls pays for it

    job = CrawlJob.objects.filter(pk=job_id).first()
    if job is None:
        return
    job = in_its_place(job)
    try:
        with about(job.progress_id):
            more = slice.run(job)
    except ProgressEnded:
        more = False
    except SystemExit:  # a worker that lost its broker ends its tasks: the wake-up that brought us here is gone
        watchdog.let_be_woken(job)
        raise
    if more:
        wake(job)
    else:  # it ended, or has to wait: others may have their turn
        wake_next()


def in_its_place(job: CrawlJob) -> CrawlJob:
    """A crawl that has a worker already gives way to the oldest one that might work and has none.

    Its own worker asks for the next one; and messages of a large crawl, of which several may wait, would keep a new one
    from its first page for a slice each.
    """
    if not frontier.live_owners(job):
        return job
    running = CrawlJob.objects.active().exclude(progress__status__in=admission.NO_PLACE).exclude(pk=job.pk)
    without = [other for other in running.order_by("id") if not frontier.live_owners(other) and is_due(other)]
    return next(iter([*without, *admission.next_in_line()]), job)


@shared_task(ignore_result=True)
def sweep() -> None:
    """Wake what has due URLs and nobody working on it; end what has nothing left; cut owed events."""
    for step in (tracker.flush_stale, quota.pause_what_has_no_room, wake_next, wake_after_the_dead):
        with alone(f"not swept: {step.__name__}"):
            step()
    active = CrawlJob.objects.active().exclude(progress__status__in=admission.NOT_RUNNING)
    for job in active.select_related("progress"):
        with alone("not swept:", job.progress_id):
            end_or_wake(job)


def wake_after_the_dead() -> None:
    for job in watchdog.free_leases_of_the_dead():
        with alone("not woken:", job.progress_id):
            wake(job)


def end_or_wake(job: CrawlJob) -> None:
    if not CrawlUrl.objects.filter(job=job).outstanding().exists():
        end(job)
    elif needs_waking(job) and not watchdog.give_up(job, watchdog.unanswered(job)):
        wake(job)


@shared_task(ignore_result=True)
def refresh_due() -> None:
    """Crawl again what its `update_frequency` says is old."""
    from crawler import actions
    from crawler.errors import CrawlerError

    now = timezone.now()
    # A site that is down stays old: it is tried once a day, not at every turn.
    tried = CrawlJob.objects.filter(created_at__gte=now - timedelta(hours=TRY_AGAIN_HOURS)).values("item")
    for item in KnowledgeItem.objects.due_for_refresh(now).exclude(pk__in=tried):
        with alone(f"not refreshed: {item.source_id}"):
            try:
                actions.refresh(item.source_id, viewer=OPERATOR)
            except CrawlerError as error:  # it runs already, or was uploaded and has no address
                logger.info("not refreshed: %s: %s", item.source_id, error)


@shared_task(ignore_result=True)
def check_embedder(progress_id: str) -> None:
    """Say in the log of a crawl that begins that the remote embedder gives no vectors now, and why."""
    error = preflight()
    if error is None:
        return
    told = f"No vectors for now: {error.message} {error.hint}".rstrip()
    try:
        tracker.update(progress_id, lines=[f"{told} Pages are found by their words meanwhile."])
    except (ProgressEnded, UnknownProgress):
        pass


def check_embedder_on_commit(progress_id: str) -> None:
    """Beside the crawl, since a host that is away may take half a minute to show it."""
    if settings.EMBEDDER == "remote":
        transaction.on_commit(lambda: _ask_for_check(progress_id), robust=True)


def _ask_for_check(progress_id: str) -> None:
    try:
        check_embedder.delay(progress_id)
    except OperationalError as error:
        logger.warning("broker is away, the embedder is not looked at: %s", error)


def end_embedded(item_ids: Sequence[int]) -> None:
    """The last vector of these sources is there: their crawls may end now, not only at the next sweep."""
    waiting = CrawlJob.objects.filter(item__in=item_ids, progress__status=Status.EMBEDDING)
    for job in waiting.select_related("progress"):
        end(job)


def wake_next() -> None:
    """Wake the waiting crawls that now have room, and tell the others their place."""
    for job in admission.next_in_line():
        with alone("not woken:", job.progress_id):
            if job.woken_at < timezone.now() - timedelta(seconds=1):
                wake(job)
    admission.tell_positions()


def needs_waking(job: CrawlJob) -> bool:
    # Either way: a clock that was set back leaves it in the future.
    if abs(timezone.now() - job.woken_at) <= timedelta(seconds=watchdog.WAKE_SECONDS):
        return False
    return not frontier.live_owners(job) and is_due(job)


def is_due(job: CrawlJob) -> bool:
    return CrawlUrl.objects.filter(job=job).due(timezone.now()).exists()


def end(job: CrawlJob) -> None:
    """A crawl whose last page was recorded ends in that transaction; this one is for what nobody foresaw."""
    from crawler.record import finish

    try:
        with transaction.atomic():
            row = tracker.lock(job.progress_id)
            if not CrawlUrl.objects.filter(job=job).outstanding().exists():
                finish(job, row)
    except ProgressEnded:
        pass


def wake(job: CrawlJob) -> None:
    """Ask a worker to take a slice. A broker that is away is no error here: the sweep asks again."""
    CrawlJob.objects.filter(pk=job.pk).update(woken_at=timezone.now())
    failpoint("wake.before_publish")
    try:
        crawl_slice.delay(job.pk)
        failpoint("wake.after_publish")
    except OperationalError as error:
        logger.warning("broker is away, job %s waits for the sweep: %s", job.pk, error)


def wake_on_commit(job: CrawlJob) -> None:
    """Whatever becomes of the message, who asked for the crawl has it: the row is committed, the sweep asks again."""
    # No functools.partial: Django logs a robust hook that failed by its __qualname__, and a partial has none.
    transaction.on_commit(lambda: wake(job), robust=True)


def wake_another(job: CrawlJob) -> None:
    """One more worker for a crawl with a long frontier; at most one request per second and job."""
    if len(frontier.live_owners(job)) >= settings.CRAWL_SLICES_PER_JOB:
        return
    asked = CrawlJob.objects.filter(pk=job.pk, woken_at__lt=timezone.now() - timedelta(seconds=1))
    if asked.update(woken_at=timezone.now()):
        wake(job)
