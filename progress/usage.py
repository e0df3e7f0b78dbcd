"""What accounts took within the last hours, and whether they may take more: pages, bytes, questions.

Rows are only added, so that crawls of one account never wait for each other. They outlive what they
were taken for: who deletes a source or a chat has taken it all the same.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from progress.models import Usage

Kind = Usage.Kind
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MEBIBYTE = 2**20


class Allowance(NamedTuple):
    """The code of a refusal, and the settings that name the most: of one account, and of all. 0 is no limit."""

    code: str
    window: timedelta
    unit: int
    noun: str
    each: str
    all: str


ALLOWANCES = {
    Kind.PAGES: Allowance("pages_per_day", DAY, 1, "pages", "PAGES_PER_DAY", "PAGES_PER_DAY_IN_ALL"),
    Kind.BYTES: Allowance("bytes_per_day", DAY, MEBIBYTE, "MiB", "MEGABYTES_PER_DAY", "MEGABYTES_PER_DAY_IN_ALL"),
    Kind.QUESTIONS: Allowance(
        "questions_per_hour", HOUR, 1, "questions", "QUESTIONS_PER_HOUR", "QUESTIONS_PER_HOUR_IN_ALL"
    ),
}


class Refusal(NamedTuple):
    """`retry_after` are the seconds until enough of what was taken is older than the window."""

    code: str
    message: str
    hint: str
    retry_after: int


def note(owner_id: int | None, kind: Kind, amount: int) -> None:
    """In the transaction of the work, so that what is counted was done."""
    if amount:
        Usage.objects.create(owner_id=owner_id, kind=kind, amount=amount)


def refusal(owner_id: int | None, *kinds: Kind) -> Refusal | None:
    """Why this account may take no more for now; None: it may. Requests at the same moment may each be the last."""
    for kind in kinds:
        allowance = ALLOWANCES[kind]
        taken = Usage.objects.filter(kind=kind, at__gt=timezone.now() - allowance.window)
        told = _beyond(allowance, allowance.all, taken, "All accounts together")
        if told is None and owner_id is not None:
            told = _beyond(allowance, allowance.each, taken.filter(owner=owner_id), "This account")
        if told is not None:
            return told
    return None


def trim() -> None:
    """Rows that no window looks at any more."""
    old = [Q(kind=kind, at__lt=timezone.now() - allowance.window) for kind, allowance in ALLOWANCES.items()]
    for one in old:
        Usage.objects.filter(one).delete()


def _beyond(allowance: Allowance, setting: str, taken: QuerySet[Usage], who: str) -> Refusal | None:
    most = getattr(settings, setting) * allowance.unit
    total = int(taken.aggregate(total=Sum("amount"))["total"] or 0) if most else 0
    if not most or total < most:
        return None
    seconds = _seconds_until_free(taken, total - most, allowance.window)
    hours = allowance.window // HOUR
    span = "an hour" if hours == 1 else f"{hours} hours"
    free = timezone.now() + timedelta(seconds=seconds)
    return Refusal(
        allowance.code,
        f"{who} took {total // allowance.unit:,} {allowance.noun} within {span}; "
        f"{most // allowance.unit:,} are allowed.",
        f"Come back at {free:%Y-%m-%d %H:%M} UTC. The operator can raise ARCHON_{setting}.",
        seconds,
    )


def _seconds_until_free(taken: QuerySet[Usage], beyond: int, window: timedelta) -> int:
    """Until more than `beyond` of it has left the window, oldest first."""
    gone = 0
    for at, amount in taken.order_by("at").values_list("at", "amount").iterator():
        gone += amount
        if gone > beyond:
            return max(1, math.ceil((at + window - timezone.now()).total_seconds()))
    return 1  # the last of it left the window while we looked
