"""Counted things in English sentences."""

from __future__ import annotations


def plural(count: int, one: str, many: str = "") -> str:
    """`1 page`, `2 pages`, `1,200 pages`; `many` where an s does not do."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def sizes(**counts: int) -> str:
    """`sizes(page=1, chunk=3)` is `1 page, 3 chunks`."""
    return ", ".join(plural(count, one.replace("_", " ")) for one, count in counts.items())
