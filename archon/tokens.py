"""API tokens and WebSocket tickets: made, shown once, and known again by their digest.

A token is `arc_<id>_<secret>`: the id finds the row, the secret is 256 random bits, of which only
the SHA-256 is kept. A fast hash is right here, since nothing shorter than 2^256 guesses finds it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from archon.models import ApiToken, SocketTicket
from archon.scopes import Scope

PREFIX = "arc"
SEEN_EVERY = timedelta(minutes=1)
TICKET_LIFE = timedelta(seconds=30)
MOST_DAYS = 3_650
_TOKEN = re.compile(rf"{PREFIX}_([0-9a-f]{{16}})_([A-Za-z0-9_-]{{43}})", re.ASCII)


class BadToken(Exception):
    """A token that opens nothing; the message says why, in a sentence."""


class Issued(NamedTuple):
    token: ApiToken
    text: str


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def issue(user: Any, *, name: str, scopes: Iterable[Scope], days: int | None = None) -> Issued:
    """`text` is the only copy there will ever be. `days` of None never expires."""
    secret = secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        public_id=secrets.token_hex(8),
        digest=digest(secret),
        scopes=sorted(scopes),
        expires_at=None if days is None else timezone.now() + timedelta(days=days),
    )
    return Issued(token, f"{PREFIX}_{token.public_id}_{secret}")


def holder(text: str) -> ApiToken:
    """The token's row with its user. Raises BadToken."""
    match = _TOKEN.fullmatch(text)
    token = ApiToken.objects.select_related("user").filter(public_id=match[1]).first() if match else None
    # Compared also when there is no such id, so that the time says nothing about it.
    known = hmac.compare_digest(token.digest if token else digest(""), digest(match[2] if match else "?"))
    if token is None or not known:
        raise BadToken("The token is not known here.")
    if reason := why_not(token):
        raise BadToken(reason)
    return token


def why_not(token: ApiToken, now: datetime | None = None) -> str:
    """Why a known token opens nothing any more; empty when it does."""
    now = now or timezone.now()
    if token.revoked_at is not None:
        return f"The token {token.name!r} was revoked."
    if token.expires_at is not None and token.expires_at <= now:
        return f"The token {token.name!r} expired on {token.expires_at:%Y-%m-%d}."
    if not token.user.is_active:
        return "The account of this token is not active."
    return ""


def seen(token: ApiToken) -> None:
    """Note the use, once a minute at most: a search should cost no write."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > SEEN_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


def revoke(token: ApiToken) -> None:
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def make_ticket(user: Any, scopes: Iterable[Scope], *, token_id: int | None = None, session_key: str = "") -> str:
    """Opens one WebSocket within TICKET_LIFE: browsers cannot send a header with one, and addresses are logged.

    The socket lasts no longer than the token or the session that asks for the ticket.
    """
    now = timezone.now()
    SocketTicket.objects.filter(expires_at__lt=now).delete()
    secret = secrets.token_urlsafe(32)
    SocketTicket.objects.create(
        user=user,
        token_id=token_id,
        session_key=session_key,
        digest=digest(secret),
        scopes=sorted(scopes),
        expires_at=now + TICKET_LIFE,
    )
    return secret


def redeem(ticket: str) -> SocketTicket:
    """Raises BadToken. Of two sockets that come with one ticket, one opens."""
    found = SocketTicket.objects.select_related("user").filter(digest=digest(ticket)).first()
    if found is None or not SocketTicket.objects.filter(pk=found.pk).delete()[0]:
        raise BadToken("The ticket is not known here, or was used.")
    if found.expires_at <= timezone.now() or not found.user.is_active:
        raise BadToken("The ticket expired.")
    return found
