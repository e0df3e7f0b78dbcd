"""How long the past is remembered, beyond what each app trims by itself: docs/operations.md has the whole table."""

from __future__ import annotations

from datetime import datetime, timedelta

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Max
from django.utils import timezone

from archon.models import SocketTicket
from archon.webhooks.models import Delivery
from crawler.models import CrawlJob, CrawlUrl
from knowledge.ingest import revisions
from knowledge.models import Upload
from progress.models import Progress
from progress.status import TERMINAL

# Each with its frontier of thousands of rows: small transactions, so that nobody waits for the writer.
OPERATIONS_AT_ONCE = 20
URLS_AT_ONCE = 2_000


def forget_old() -> None:
    now = timezone.now()
    before = now - timedelta(days=settings.HISTORY_DAYS)
    _forget_operations(before)
    Delivery.objects.exclude(state=Delivery.State.PENDING).filter(created_at__lt=before).delete()
    for log in (AccessAttempt, AccessFailureLog, AccessLog):
        log.objects.filter(attempt_time__lt=before).delete()
    Session.objects.filter(expire_date__lt=now).delete()
    SocketTicket.objects.filter(expires_at__lt=now).delete()
    revisions.trim()


def _forget_operations(before: datetime) -> None:
    """Crawls, uploads and the like that ended before, with their URLs and events. A source keeps its newest of each:
    a refresh begins with what that one knew."""
    old = Progress.objects.filter(status__in=TERMINAL, completed_at__lt=before)
    kept = {
        *CrawlJob.objects.filter(pk__in=_newest(CrawlJob)).values_list("progress", flat=True),
        *Upload.objects.filter(pk__in=_newest(Upload)).values_list("progress", flat=True),
    }
    gone = [pk for pk in old.order_by("pk").values_list("pk", flat=True) if pk not in kept]
    for start in range(0, len(gone), OPERATIONS_AT_ONCE):
        some = gone[start : start + OPERATIONS_AT_ONCE]
        urls = CrawlUrl.objects.filter(job__progress__in=some)
        while pks := list(urls.values_list("pk", flat=True)[:URLS_AT_ONCE]):
            CrawlUrl.objects.filter(pk__in=pks).delete()
        Progress.objects.filter(pk__in=some).delete()


def _newest(model: type[CrawlJob | Upload]) -> list[int]:
    return list(model.objects.order_by().values("item").annotate(newest=Max("pk")).values_list("newest", flat=True))
