"""The one row that proves a worker works."""

from __future__ import annotations

from django.db import models


class Canary(models.Model):
    """Written by a task that beat sends: queue, worker and database were all alive at `sung_at`."""

    name = models.CharField(max_length=40, primary_key=True)
    sung_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "canaries"

    def __str__(self) -> str:
        return f"{self.name} at {self.sung_at:%Y-%m-%d %H:%M:%S}"
