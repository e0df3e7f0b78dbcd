"""REST of webhooks: one's own, with what was sent to them."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status

from archon import vault
from archon.errors import AccessError
from archon.identity import asking
from archon.webhooks.models import Delivery, Webhook
from crawler.engine import guard
from crawler.urls import canonical_url
from progress.request import RequestBody
from progress.wire import encode

router = Router(tags=["webhooks"])
MOST_WEBHOOKS = 20


class WebhookIn(RequestBody):
    url: Annotated[str, Field(min_length=1, max_length=2_000)]
    events: Annotated[list[Webhook.Event], Field(min_length=1)] = [Webhook.Event.FINISHED, Webhook.Event.FAILED]


class WebhookOut(Schema):
    id: int
    url: str
    events: list[str]
    active: bool
    note: str
    created_at: datetime


class WebhookMade(WebhookOut):
    secret: str


class WebhookList(Schema):
    webhooks: list[WebhookOut]


class DeliveryOut(Schema):
    id: int
    event: str
    key: str
    state: str
    attempts: int
    http_status: int | None
    error: str
    created_at: datetime
    delivered_at: datetime | None
    next_at: datetime | None


class DeliveryList(Schema):
    deliveries: list[DeliveryOut]
    total: int


class Done(Schema):
    success: bool = True
    message: str


@router.get("/webhooks", response=WebhookList, summary="My webhooks")
def list_webhooks(request: HttpRequest) -> dict[str, Any]:
    return {"webhooks": list(Webhook.objects.filter(owner=asking(request).user))}


@router.post("/webhooks", response={201: WebhookMade}, summary="Tell an address when crawls end")
def make_webhook(request: HttpRequest, body: WebhookIn) -> Status[dict[str, Any]]:
    """The answer is the only time that the secret is shown: receivers check signatures with it."""
    if not settings.ENCRYPTION_KEYS:
        hint = "Run `python manage.py rotate-keys --new` and set ARCHON_ENCRYPTION_KEYS to what it prints."
        raise AccessError("no_encryption_key", "Secrets cannot be stored yet.", hint=hint, status=409)
    owner = asking(request).user
    if Webhook.objects.filter(owner=owner).count() >= MOST_WEBHOOKS:
        raise AccessError("too_many_webhooks", f"There are {MOST_WEBHOOKS} already.", hint="Delete one first.")
    url = canonical_url(body.url)
    guard().check_url(url)
    secret = secrets.token_urlsafe(32)
    hook = Webhook.objects.create(owner=owner, url=url, events=list(body.events), secret=vault.seal(secret))
    fields = ("id", "url", "events", "active", "note", "created_at")
    return Status(201, {**{field: getattr(hook, field) for field in fields}, "secret": secret})


@router.delete("/webhooks/{int:webhook_id}", response=Done, summary="Delete a webhook")
def delete_webhook(request: HttpRequest, webhook_id: int) -> Done:
    hook = mine(request, webhook_id)
    hook.delete()
    return Done(message=f"{hook.url} is told nothing any more.")


@router.post("/webhooks/{int:webhook_id}/test", response={202: Done}, summary="Send a test")
def send_test(request: HttpRequest, webhook_id: int) -> Status[Done]:
    hook = mine(request, webhook_id)
    key = f"test {secrets.token_hex(4)}"
    body = encode({"event": "test", "sent_at": timezone.now()})
    Delivery.objects.create(webhook=hook, event="test", key=key, body=body)
    return Status(202, Done(message="A test is on its way; look at the deliveries."))


@router.get("/webhooks/{int:webhook_id}/deliveries", response=DeliveryList, summary="What was sent, newest first")
def list_deliveries(
    request: HttpRequest, webhook_id: int, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> dict[str, Any]:
    sent = Delivery.objects.filter(webhook=mine(request, webhook_id))
    return {"deliveries": list(sent[:limit]), "total": sent.count()}


def mine(request: HttpRequest, webhook_id: int) -> Webhook:
    hook = Webhook.objects.filter(owner=asking(request).user, pk=webhook_id).first()
    if hook is None:
        raise AccessError("webhook_unknown", "You have no webhook with this id.", hint="GET /api/webhooks.", status=404)
    return hook
