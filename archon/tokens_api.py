"""REST of one's own keys: who am I here, API tokens, and the ticket that opens a socket."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from archon import tokens
from archon.errors import AccessError
from archon.identity import SUBPROTOCOL, TICKET, asking
from archon.models import ApiToken
from archon.scopes import Scope
from progress.request import RequestBody
from progress.wire import storable

router = Router(tags=["access"])
# More would be a leak, or a script that makes one at every start.
MOST_TOKENS = 50


class WhoAmI(Schema):
    mode: str
    user: str
    staff: bool
    scopes: list[Scope]


class TokenIn(RequestBody):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1)] = [Scope.READ, Scope.MCP]
    days: Annotated[int | None, Field(ge=1, le=tokens.MOST_DAYS)] = 365


class TokenOut(Schema):
    id: int
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class TokenMade(TokenOut):
    token: str


class TokenList(Schema):
    tokens: list[TokenOut]


class Revoked(Schema):
    success: bool = True
    message: str


class Ticket(Schema):
    ticket: str
    subprotocols: list[str]
    expires_in: int


def shown(token: ApiToken) -> dict[str, Any]:
    fields = ("id", "name", "created_at", "expires_at", "last_used_at", "revoked_at")
    return {
        **{field: getattr(token, field) for field in fields},
        "prefix": f"{tokens.PREFIX}_{token.public_id}",
        "scopes": token.scopes,
    }


@router.get("/whoami", response=WhoAmI, summary="Who asks, and what they may do")
def whoami(request: HttpRequest) -> WhoAmI:
    identity = asking(request)
    return WhoAmI(
        mode="local" if settings.LOCAL_MODE else "server",
        user=identity.user.get_username(),
        staff=identity.user.is_staff,
        scopes=sorted(identity.scopes),
    )


@router.get("/tokens", response=TokenList, summary="My API tokens")
def list_tokens(request: HttpRequest) -> dict[str, Any]:
    return {"tokens": [shown(token) for token in ApiToken.objects.filter(user=asking(request).user)]}


@router.post("/tokens", response={201: TokenMade}, summary="Make an API token")
def make_token(request: HttpRequest, body: TokenIn) -> Status[dict[str, Any]]:
    """The answer is the only time that the token is shown."""
    identity = asking(request)
    if identity.token_id is not None:  # a leaked token must not outlive its own end
        raise AccessError(
            "token_by_token", "A token cannot make tokens.", hint="Sign in at /admin/login/ and make it there."
        )
    if missing := sorted(set(body.scopes) - identity.scopes):
        raise AccessError(
            "scope_missing", f"You have not the scope {missing[0]} yourself.", hint="Leave it out.", field="scopes"
        )
    if ApiToken.objects.filter(user=identity.user, revoked_at=None).count() >= MOST_TOKENS:
        raise AccessError("too_many_tokens", f"There are {MOST_TOKENS} tokens already.", hint="Revoke one first.")
    made = tokens.issue(identity.user, name=storable(body.name), scopes=body.scopes, days=body.days)
    return Status(201, {**shown(made.token), "token": made.text})


@router.delete("/tokens/{int:token_id}", response=Revoked, summary="Revoke one of my tokens")
def revoke_token(request: HttpRequest, token_id: int) -> Revoked:
    """Calls that come later are refused; sockets that are open close within a minute."""
    token = ApiToken.objects.filter(user=asking(request).user, pk=token_id).first()
    if token is None:
        raise AccessError("token_unknown", "You have no token with this id.", hint="GET /api/tokens.", status=404)
    tokens.revoke(token)
    return Revoked(message=f"The token {token.name!r} is revoked.")


@router.post("/socket-ticket", response=Ticket, summary="A ticket that opens one WebSocket")
def socket_ticket(request: HttpRequest) -> Ticket:
    """For pages of another origin: offer both subprotocols when the socket is opened, within 30 s.

    The socket ends with the token or the session that asked for the ticket.
    """
    identity = asking(request)
    ticket = tokens.make_ticket(
        identity.user, identity.scopes, token_id=identity.token_id, session_key=identity.session_key
    )
    return Ticket(
        ticket=ticket,
        subprotocols=[SUBPROTOCOL, TICKET + ticket],
        expires_in=int(tokens.TICKET_LIFE.total_seconds()),
    )
