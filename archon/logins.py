"""Wrong passwords: so many for one name from one address, and, more slowly, for one name from everywhere.

The first bound alone would let many addresses guess together; a bound per name alone would let
anyone lock anybody out. So the second spares addresses from which the account has signed in before.
"""

from __future__ import annotations

import math
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.db.models import Max, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from progress.plural import plural


class LoginHandler(AxesDatabaseHandler):  # type: ignore[misc]
    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Of this name and address; the limit itself when the name was tried too often from everywhere."""
        failures: int = super().get_failures(request, credentials)
        if failures >= settings.AXES_FAILURE_LIMIT or not _tried_everywhere(request, credentials):
            return failures
        return int(settings.AXES_FAILURE_LIMIT)


def locked_response(request: HttpRequest, credentials: dict[str, Any] | None) -> HttpResponse:
    """The same for a name that is nobody's: it must not be told which accounts there are."""
    here = _attempts(request, credentials).filter(ip_address=request.axes_ip_address)  # type: ignore[attr-defined]
    if _failures(here) < settings.AXES_FAILURE_LIMIT:
        here = _attempts(request, credentials)
    newest = here.aggregate(newest=Max("attempt_time"))["newest"] or timezone.now()
    seconds = max(1, math.ceil((newest + settings.AXES_COOLOFF_TIME - timezone.now()).total_seconds()))
    minutes = math.ceil(seconds / 60)
    return HttpResponse(
        f"Too many wrong passwords. Try again in {plural(minutes, 'minute')}.",
        status=429,
        content_type="text/plain; charset=utf-8",
        headers={"Retry-After": str(seconds)},
    )


def _tried_everywhere(request: HttpRequest, credentials: dict[str, Any] | None) -> bool:
    if _failures(_attempts(request, credentials)) < settings.LOGIN_FAILURES_IN_ALL:
        return False
    known = AccessLog.objects.filter(
        username=get_client_username(request, credentials),
        ip_address=request.axes_ip_address,  # type: ignore[attr-defined]
    )
    return not known.exists()


def _attempts(request: HttpRequest, credentials: dict[str, Any] | None) -> QuerySet[AccessAttempt]:
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    name = get_client_username(request, credentials)
    attempts: QuerySet[AccessAttempt] = AccessAttempt.objects.filter(username=name, attempt_time__gte=since)
    return attempts


def _failures(attempts: QuerySet[AccessAttempt]) -> int:
    return int(attempts.aggregate(total=Sum("failures_since_start"))["total"] or 0)
