"""An address to tell, and each thing that was told to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Webhook(models.Model):
    """Staff hear of every crawl, others of their own. The secret is stored encrypted: archon/vault.py."""

    class Event(models.TextChoices):
        FINISHED = "crawl.finished"
        FAILED = "crawl.failed"
        CHANGED = "source.changed"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    url = models.TextField()
    events = models.JSONField(default=list)
    secret = models.TextField()
    active = models.BooleanField(default=True)
    # Why it was switched off, when it was not a person.
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One event for one address. `key` is the progress id, so that nothing is told twice."""

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=32)
    key = models.CharField(max_length=255)
    body = models.TextField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    http_status = models.PositiveSmallIntegerField(null=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "deliveries"
        constraints = (models.UniqueConstraint(fields=["webhook", "event", "key"], name="told_once"),)
        indexes = (models.Index(fields=["next_at"], name="delivery_due", condition=models.Q(state="pending")),)

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook_id}: {self.state}"
