"""Whether an account may upload or ask more for now."""

from __future__ import annotations

from knowledge.errors import UsedUp
from progress import usage


def check(owner_id: int | None, kind: usage.Kind) -> None:
    """Raises UsedUp when this account, or all together, took what they may."""
    refused = usage.refusal(owner_id, kind)
    if refused is not None:
        raise UsedUp(refused)
