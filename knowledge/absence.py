"""What stands for a model that may be away: since when, why, and when it is asked again."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import models
from django.utils import timezone

logger = logging.getLogger(__name__)

AGAIN_SECONDS: tuple[float, ...] = (5, 15, 60, 300)
# An endpoint that wishes for more is asked as one that wishes for nothing.
LONGEST_SECONDS = 3_600


class MayBeAway(models.Model):
    """A row for a model behind an endpoint. While it gives nothing `away_since` and `away_reason` are set."""

    away_since = models.DateTimeField(null=True)
    away_reason = models.TextField(blank=True)
    away_times = models.PositiveIntegerField(default=0)
    asked_again_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def resting(self) -> bool:
        """It failed, and is not to be asked yet."""
        return self.asked_again_at is not None and self.asked_again_at > timezone.now()

    def went(self, reason: str, retry_after: float | None = None) -> float:
        """Note that it gives nothing, and why; seconds until it is asked again, later with each time."""
        seconds = AGAIN_SECONDS[min(self.away_times, len(AGAIN_SECONDS) - 1)]
        if retry_after is not None and 0 < retry_after < LONGEST_SECONDS:  # not so for NaN either
            seconds = retry_after
        now = timezone.now()
        if self.away_since is None:
            logger.warning("%s gives nothing: %s", self, reason)
            self.away_since = now
        self.away_reason = reason
        self.away_times += 1
        self.asked_again_at = now + timedelta(seconds=seconds)
        self._save()
        return seconds

    def came_back(self) -> None:
        if self.away_since is not None:
            logger.info("%s answers again", self)
            self.away_since, self.away_reason, self.away_times, self.asked_again_at = None, "", 0, None
            self._save()

    def _save(self) -> None:
        self.save(update_fields=["away_since", "away_reason", "away_times", "asked_again_at"])
