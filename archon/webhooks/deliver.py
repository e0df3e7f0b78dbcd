"""Deliveries leave through the guard of the crawler: an address inside the network is told nothing.

Signed as `X-Archon-Signature: sha256=<hex>`, the HMAC-SHA256 of `<timestamp>.<body>` under the
webhook's secret, with the timestamp in `X-Archon-Timestamp`: a receiver that compares both knows
who sent it, and that it is not an old message again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from archon import vault
from archon.webhooks.models import Delivery, Webhook
from crawler.engine import guard
from crawler.errors import CrawlerError
from crawler.fetcher import FetchSettings
from progress.loop import submit

USER_AGENT = "Archon-Webhook/0.1"
SECONDS = 10.0
LIMITS = FetchSettings(user_agent=USER_AGENT, headers_timeout=SECONDS, total_timeout=SECONDS)
AT_ONCE = 16
# After the first try: a minute, five, half an hour, two hours, six hours.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360))
GONE = 410


class Answer(NamedTuple):
    """`status` is 0 when there was none."""

    status: int
    error: str

    @property
    def taken(self) -> bool:
        return 200 <= self.status < 300


def signature(secret: str, timestamp: int, body: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.{body}".encode(), hashlib.sha256).hexdigest()


def deliver_due() -> int:
    """Send what is due, some at once; how many were sent. A worker that dies here leaves them due again."""
    now = timezone.now()
    due = claimed(Delivery.objects.filter(state=Delivery.State.PENDING, next_at__lte=now, webhook__active=True))
    if due:
        posts = submit(_post_all([(one.webhook.url, one.body, headers_of(one)) for one in due]))
        for delivery, answer in zip(due, posts.result(SECONDS * 2), strict=True):
            record(delivery, answer)
    return len(due)


def claimed(due: QuerySet[Delivery]) -> list[Delivery]:
    """Ours for a minute: `next_at` is moved on if nobody else has."""
    mine = []
    for delivery in due.select_related("webhook").order_by("next_at")[:AT_ONCE]:
        free = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.PENDING, next_at=delivery.next_at)
        if free.update(next_at=timezone.now() + timedelta(minutes=1)):
            mine.append(delivery)
    return mine


def headers_of(delivery: Delivery) -> dict[str, str]:
    timestamp = int(time.time())
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Archon-Event": delivery.event,
        "X-Archon-Delivery": str(delivery.pk),
        "X-Archon-Timestamp": str(timestamp),
        "X-Archon-Signature": signature(vault.unseal(delivery.webhook.secret), timestamp, delivery.body),
    }


def record(delivery: Delivery, answer: Answer) -> None:
    delivery.attempts += 1
    delivery.http_status = answer.status or None
    delivery.error = answer.error
    if answer.taken:
        delivery.state, delivery.delivered_at = Delivery.State.DELIVERED, timezone.now()
    elif delivery.attempts > len(WAITS) or answer.status == GONE:
        delivery.state = Delivery.State.FAILED
    else:
        delivery.next_at = timezone.now() + WAITS[delivery.attempts - 1]
    delivery.save()
    if answer.status == GONE:
        note = "Switched off: the address answered that it is gone (410)."
        Webhook.objects.filter(pk=delivery.webhook_id).update(active=False, note=note)


async def _post_all(posts: list[tuple[str, str, Mapping[str, str]]]) -> list[Answer]:
    from crawler.transport import open_session  # brings aiohttp; only who delivers pays for it

    async with open_session(LIMITS, guard()) as session:
        return await asyncio.gather(*(_post(session, *post) for post in posts))


async def _post(session: Any, url: str, body: str, headers: Mapping[str, str]) -> Answer:
    from crawler.transport import post

    try:
        status = await post(session, guard(), LIMITS, url, body.encode(), headers)
    except CrawlerError as error:
        return Answer(0, f"{error.code}: {error.message}")
    return Answer(status, "" if 200 <= status < 300 else f"The address answered with HTTP status {status}.")
