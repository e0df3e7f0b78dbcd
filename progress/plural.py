"""Counted things in English sentences."""

from __future__ import annotations


def plural(count: int, one: str, many: str = "") -> str:
    """`1 page`, `2 pages`, `1,200 pages`; `many` where an s does not do."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
