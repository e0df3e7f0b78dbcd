"""From which queue a worker takes its next message."""

from __future__ import annotations

from django.conf import settings
from kombu.utils.scheduling import round_robin_cycle


class UpkeepFirst(round_robin_cycle):
    """Upkeep before all else, and of the other queues each in turn.

    The messages of one large crawl alone keep every worker busy for as long as it lasts. Behind them beat's would wait
    until they expire: no crawl that stands still would be found, no webhook be told.
    """

    def rotate(self, last_used: str) -> str:
        super().rotate(last_used)  # type: ignore[no-untyped-call]
        self.items.sort(key=lambda queue: queue != settings.UPKEEP_QUEUE)
        return last_used

    def update(self, it: list[str]) -> None:
        super().update(sorted(it, key=lambda queue: queue != settings.UPKEEP_QUEUE))  # type: ignore[no-untyped-call]
