"""The row that proves a worker works, and the keys that open the server to scripts and sockets."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from archon.webhooks.models import Delivery, Webhook

__all__ = ["ApiToken", "Canary", "Delivery", "SocketTicket", "Webhook"]


class Canary(models.Model):
    """Written by a task that beat sends: queue, worker and database were all alive at `sung_at`."""

    name = models.CharField(max_length=40, primary_key=True)
    sung_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "canaries"

    def __str__(self) -> str:
        return f"{self.name} at {self.sung_at:%Y-%m-%d %H:%M:%S}"


class ApiToken(models.Model):
    """A key for scripts and assistants. What opens is not kept, only its digest: archon/tokens.py."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    public_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} (arc_{self.public_id}_…)"


class SocketTicket(models.Model):
    """Opens one WebSocket, once, within half a minute: for the token or the session that asked for it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    token = models.ForeignKey(ApiToken, null=True, on_delete=models.CASCADE, related_name="+")
    session_key = models.CharField(max_length=40, blank=True)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"ticket of {self.user_id} until {self.expires_at:%H:%M:%S}"
