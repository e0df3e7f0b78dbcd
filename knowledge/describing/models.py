"""Who asks the language model for titles and summaries now, and how that goes."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Self

from django.db import models
from django.utils import timezone

from knowledge.absence import MayBeAway

DESCRIBER_CHARS = 200
# Longer than one question to the model may take.
LEASE_SECONDS = 120


class Describer(MayBeAway):
    """A language model at work on code examples: one worker at a time asks it, for a source at a time."""

    name = models.CharField(max_length=DESCRIBER_CHARS, unique=True)
    owner = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(default=timezone.now)
    # Of the operation that shows how far it is; empty while nothing is to do.
    progress_id = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"language model {self.name}"

    @classmethod
    def claimed(cls, name: str) -> Self | None:
        """None while another worker has it, or it rests after a failure."""
        made, _ = cls.objects.get_or_create(name=name)
        if made.resting:
            return None
        owner, until = uuid.uuid4().hex, timezone.now() + timedelta(seconds=LEASE_SECONDS)
        free = cls.objects.filter(pk=made.pk, lease_until__lte=timezone.now())
        return cls.objects.get(pk=made.pk) if free.update(owner=owner, lease_until=until) else None

    def release(self) -> None:
        type(self).objects.filter(pk=self.pk, owner=self.owner).update(lease_until=timezone.now())
