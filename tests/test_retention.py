"""Each table that would grow for ever forgets what is old, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone

from archon import tokens
from archon.models import SocketTicket
from archon.scopes import Scope
from archon.tasks import forget_old
from archon.webhooks.models import Delivery, Webhook
from crawler import actions
from crawler.models import CrawlJob, CrawlUrl
from knowledge.chat.actions import EVENTS_KEPT, trim
from knowledge.chat.models import ChatEvent, ChatSession
from progress.models import Progress, ProgressEvent
from progress.status import Status
from progress.viewer import OPERATOR
from tests.crawler.jobs import job_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def long_ago(settings: Any) -> Any:
    return timezone.now() - timedelta(days=settings.HISTORY_DAYS + 1)


def ended(job: CrawlJob, at: Any) -> CrawlJob:
    Progress.objects.filter(pk=job.progress_id).update(status=Status.COMPLETED, completed_at=at)
    return job


def test_a_source_keeps_its_newest_crawl_and_forgets_those_long_over(long_ago: Any) -> None:
    first = ended(job_of(pages=3), long_ago)
    second = ended(job_of(pages=2), long_ago)
    recent = ended(job_of("http://127.0.0.1:9/other/"), timezone.now())
    running = job_of("http://127.0.0.1:9/running/")
    Progress.objects.filter(pk=running.progress_id).update(start_time=long_ago)
    forget_old()
    left = set(CrawlJob.objects.values_list("pk", flat=True))
    assert left == {second.pk, recent.pk, running.pk}
    assert not Progress.objects.filter(pk=first.progress_id).exists()
    assert not ProgressEvent.objects.filter(progress=first.progress_id).exists()
    assert not CrawlUrl.objects.filter(job=first.pk).exists()
    assert CrawlUrl.objects.filter(job=second.pk).count() == 3
    assert actions.refresh(second.item.source_id, viewer=OPERATOR).progress_id


def test_deliveries_that_are_over_are_forgotten_and_pending_ones_are_not(long_ago: Any) -> None:
    user = get_user_model().objects.create_user("alice")
    hook = Webhook.objects.create(owner=user, url="https://example.org/")
    for key, state, at in (
        ("old", "delivered", long_ago),
        ("failed", "failed", long_ago),
        ("waits", "pending", long_ago),
        ("new", "delivered", timezone.now()),
    ):
        Delivery.objects.create(webhook=hook, event="crawl.finished", key=key, state=state, created_at=at, body="{}")
    forget_old()
    assert set(Delivery.objects.values_list("key", flat=True)) == {"waits", "new"}


def test_the_log_of_logins_is_forgotten(long_ago: Any) -> None:
    for at in (long_ago, timezone.now()):
        AccessLog.objects.create(username="alice", ip_address="127.0.0.1")
        AccessFailureLog.objects.create(username="alice", ip_address="127.0.0.1")
        AccessAttempt.objects.create(username=f"alice {at}", ip_address="127.0.0.1", failures_since_start=1)
        for log in (AccessLog, AccessFailureLog, AccessAttempt):
            newest = log.objects.order_by("-pk").first()
            log.objects.filter(pk=newest.pk).update(attempt_time=at)
    forget_old()
    for log in (AccessLog, AccessFailureLog, AccessAttempt):
        assert log.objects.count() == 1, log


def test_sessions_and_tickets_that_ran_out_are_forgotten() -> None:
    user = get_user_model().objects.create_user("alice")
    for name, seconds in (("over", -1), ("open", 60)):
        at = timezone.now() + timedelta(seconds=seconds)
        Session.objects.create(session_key=name, session_data="", expire_date=at)
        tokens.make_ticket(user, [Scope.READ])
        SocketTicket.objects.filter(pk=SocketTicket.objects.latest("pk").pk).update(expires_at=at)
    forget_old()
    assert list(Session.objects.values_list("session_key", flat=True)) == ["open"]
    assert SocketTicket.objects.filter(expires_at__lt=timezone.now()).count() == 0


def test_events_of_chats_that_rest_are_forgotten() -> None:
    for name, at in (("rests", timezone.now() - 2 * EVENTS_KEPT), ("goes on", timezone.now())):
        session = ChatSession.objects.create(session_id=name, title=name)
        ChatEvent.objects.create(session=session, sequence=1, type="chat_started", frame="{}")
        ChatSession.objects.filter(pk=session.pk).update(updated_at=at)
    trim()
    assert list(ChatEvent.objects.values_list("session__title", flat=True)) == ["goes on"]
