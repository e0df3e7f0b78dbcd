"""How often a client may speak: one that sends more is broken or hostile."""

from __future__ import annotations

from collections import deque

INPUTS_PER_SECOND = 20
INPUT_BURST = 60


class InputRate:
    """The moments of a client's last frames."""

    __slots__ = ("_moments",)

    def __init__(self) -> None:
        self._moments: deque[float] = deque(maxlen=INPUT_BURST)

    def exceeded(self, now: float) -> bool:
        """Counts one frame, at the monotonic second `now`."""
        self._moments.append(now)
        return len(self._moments) == INPUT_BURST and now - self._moments[0] < INPUT_BURST / INPUTS_PER_SECOND
