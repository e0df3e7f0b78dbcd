"""Who asks, by which key, what they may do with it, and whether a stream they opened is still theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from archon import tokens
from archon.models import ApiToken
from archon.scopes import PEOPLE, STAFF, Need, Scope
from archon.tokens import BadToken
from progress.closing import CLOSE_FORBIDDEN, CLOSE_NOT_SIGNED_IN
from progress.standing import Over
from progress.viewer import Viewer

LOCAL_OPERATOR = "local"
SUBPROTOCOL = "archon"
TICKET = "archon.ticket."


class Identity(NamedTuple):
    """Who asks, and what they may do, by a token or by the session of this browser: `token_id` is None then.

    A ticket stands for the key it was made with, and ends with it.
    """

    user: Any
    scopes: frozenset[Scope]
    token_id: int | None = None
    session_key: str = ""

    @property
    def viewer(self) -> Viewer:
        """Staff with a token that lacks the scope admin have no more than others."""
        return Viewer(self.user.pk, staff=self.user.is_staff and Scope.ADMIN in self.scopes)


def identified(user: Any, authorization: str, session_key: str | None) -> Identity | None:
    """By the token if there is one, else by the session; None for nobody. Raises BadToken."""
    kind, _, text = authorization.partition(" ")
    if kind.lower() == "bearer":
        token = tokens.holder(text.strip())
        tokens.seen(token)
        return Identity(token.user, scopes_with(token), token.pk)
    return Identity(user, scopes_of(user), session_key=session_key or "") if user.is_authenticated else None


def identified_socket(
    user: Any, authorization: str, session_key: str | None, subprotocols: Sequence[str]
) -> Identity | None:
    """As `identified`, or by a ticket. Raises BadToken."""
    for name in subprotocols:
        if name.startswith(TICKET):
            return by_ticket(name.removeprefix(TICKET))
    return identified(user, authorization, session_key)


def by_ticket(text: str) -> Identity:
    """Raises BadToken, also when the key that the ticket was made with is over."""
    ticket = tokens.redeem(text)
    identity = Identity(ticket.user, frozenset(map(Scope, ticket.scopes)), ticket.token_id, ticket.session_key)
    if over := why_over(identity, None):
        raise BadToken(over.message)
    return identity


def scopes_of(user: Any) -> frozenset[Scope]:
    """What the account itself may do; its tokens never more, also after it lost its staff status."""
    return STAFF if user.is_staff else PEOPLE


def scopes_with(token: ApiToken) -> frozenset[Scope]:
    return frozenset(map(Scope, token.scopes)) & scopes_of(token.user)


def why_over(identity: Identity, need: Need | None) -> Over | None:
    """Why who opened a stream may follow it no more: the key ended, or no longer gives what the stream needs."""
    user = get_user_model().objects.filter(pk=identity.user.pk, is_active=True).first()
    if user is None:
        return signed_out("The account is not active.")
    if identity.token_id is None:
        if not is_session_of(user, identity.session_key):
            return signed_out("The session ended, or the password was changed.")
        scopes = scopes_of(user)
    else:
        token = ApiToken.objects.select_related("user").filter(pk=identity.token_id).first()
        if token is None:
            return signed_out("The token was deleted.")
        if reason := tokens.why_not(token):
            return signed_out(reason)
        scopes = scopes_with(token)
    if need is not None and not need.scopes <= scopes:
        lacking = ", ".join(sorted(need.scopes - scopes))
        hint = "Ask an operator for a token with that scope, or for staff status."
        return Over(CLOSE_FORBIDDEN, "scope_missing", f"This needs the scope {lacking}.", hint)
    return None


def signed_out(why: str) -> Over:
    return Over(CLOSE_NOT_SIGNED_IN, "not_signed_in", why, "Sign in, or send a token that is valid, and open it anew.")


def is_session_of(user: Any, session_key: str) -> bool:
    """Whether the session goes on and is still of this account with this password.

    Not Django's `get_user`: after a change of the secret key that would give the browser another key behind its back.
    """
    session = Session.objects.filter(session_key=session_key, expire_date__gt=timezone.now()).first()
    if session is None:
        return False
    kept = session.get_decoded()
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return str(kept.get(SESSION_KEY)) == str(user.pk) and any(
        constant_time_compare(kept.get(HASH_SESSION_KEY, ""), known) for known in hashes
    )


def asking(request: HttpRequest) -> Identity:
    """In local mode it is the operator who asks, and may do everything."""
    identity: Identity | None = getattr(request, "identity", None)
    return identity or Identity(local_operator(), STAFF)


def local_operator() -> Any:
    """The account that stands for the person at this machine; it has no usable password."""
    users = get_user_model()
    user, made = users.objects.get_or_create(username=LOCAL_OPERATOR, defaults={"is_staff": True, "is_superuser": True})
    if made:
        user.set_unusable_password()
        user.save()
    return user
