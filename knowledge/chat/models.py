"""Conversations: sessions, their messages, and the numbered events from which any tab is brought up to date."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

SESSION_ID_CHARS = 200


class ChatSession(models.Model):
    """A conversation of one owner; nobody else's session can have the same id in their eyes.

    A deleted session keeps this row without any text: its numbers go on where they were, so
    that a tab that is still open sees the next message as new.
    """

    session_id = models.CharField(max_length=SESSION_ID_CHARS)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True)
    title = models.CharField(max_length=200, blank=True)
    # The number of the newest ChatEvent.
    sequence = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now, db_index=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-updated_at", "-id")
        constraints = (
            models.UniqueConstraint(fields=["owner", "session_id"], name="chat_session_owner_id"),
            models.UniqueConstraint(
                fields=["session_id"], condition=models.Q(owner__isnull=True), name="chat_session_id"
            ),
        )

    def __str__(self) -> str:
        return self.title or self.session_id


class ChatMessage(models.Model):
    """A question or its answer. While an answer streams its text stands in its chunk events; `text` is set at its end.

    `runner` is the process that writes the answer; it renews `beat_at`. One that stopped doing so is dead.
    """

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    class State(models.TextChoices):
        STREAMING = "streaming"
        COMPLETE = "complete"
        STOPPED = "stopped"
        FAILED = "failed"

    session = models.ForeignKey(ChatSession, on_delete=models.CASCADE, related_name="messages")
    role = models.CharField(max_length=16, choices=Role.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.COMPLETE)
    text = models.TextField(blank=True)
    citations = models.JSONField(default=list, blank=True)
    # {code, message, hint} of the failure; empty unless the state is failed.
    error = models.JSONField(default=dict, blank=True)
    # What wrote the text: a model's name, `extractive`, or `none` when nothing was found.
    model = models.CharField(max_length=200, blank=True)
    # The one source that was asked; empty for all.
    source_id = models.CharField(max_length=64, blank=True)
    runner = models.CharField(max_length=40, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=["session"], condition=models.Q(state="streaming"), name="chat_one_answer_at_a_time"
            ),
        )
        indexes = (models.Index(fields=["session", "id"], name="chat_message_session"),)

    def __str__(self) -> str:
        return f"{self.role}: {self.text[:80]}"


class ChatEvent(models.Model):
    """One numbered step of a session, as the text of its frame: a replayed frame equals the live one."""

    session = models.ForeignKey(ChatSession, on_delete=models.CASCADE, related_name="events")
    message = models.ForeignKey(ChatMessage, on_delete=models.CASCADE, null=True, related_name="events")
    sequence = models.PositiveBigIntegerField()
    type = models.CharField(max_length=32)
    frame = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ("session", "sequence")
        constraints = (models.UniqueConstraint(fields=["session", "sequence"], name="chat_event_sequence"),)

    def __str__(self) -> str:
        return f"{self.session_id} #{self.sequence} {self.type}"
