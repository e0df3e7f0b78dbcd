"""What changed in a page: what it said before, compared line by line with what it says now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import SequenceMatcher
from itertools import takewhile

from django.utils import timezone

from knowledge.changes import NEWEST, OLDEST
from knowledge.ingest.revisions import text_of
from knowledge.models import Document, PageRevision

CONTEXT_LINES = 3
# What both texts begin and end with is not counted. Lines made to be slow to compare take a second.
MAX_LINES = 2_000
MAX_LINE_CHARS = 2_000
MAX_CHARS = 250_000


@dataclass(frozen=True, slots=True)
class PageDiff:
    """`lines` are a unified diff without its two lines of file names. `since` and `until`: how long the page said what
    it starts from; None when no earlier text is kept. `truncated`: not all is compared, or shown."""

    title_before: str = ""
    since: datetime | None = None
    until: datetime | None = None
    lines: list[str] = field(default_factory=list)
    added: int = 0
    removed: int = 0
    truncated: bool = False


def diff_of(page: Document, since: datetime | None = None) -> PageDiff:
    """From what the page said then, or the oldest text that is kept from later; without a date, before its last
    change."""
    before = _text_before(page, since)
    if before is None:
        return PageDiff()
    lines, truncated = _compared(text_of(before), (page.alias_of or page).markdown)
    return PageDiff(
        before.title,
        before.since,
        before.replaced_at,
        lines,
        added=sum(line.startswith("+") for line in lines),
        removed=sum(line.startswith("-") for line in lines),
        truncated=truncated,
    )


def _text_before(page: Document, since: datetime | None) -> PageRevision | None:
    kept = PageRevision.objects.filter(document=page)
    if since is None:
        return kept.order_by("-pk").first()
    after = timezone.make_aware(since, UTC) if timezone.is_naive(since) else since
    return kept.filter(replaced_at__gt=min(max(after, OLDEST), NEWEST)).order_by("pk").first()


def _compared(before: str, now: str) -> tuple[list[str], bool]:
    """The lines of the diff, and whether they are not all."""
    old, new = before.split("\n"), now.split("\n")
    lead = _equal(old, new)
    tail = _equal(reversed(old[lead:]), reversed(new[lead:]))
    lead, tail = max(0, lead - CONTEXT_LINES), max(0, tail - CONTEXT_LINES)
    old, new = old[lead : len(old) - tail], new[lead : len(new) - tail]
    lines = []
    truncated = max(len(old), len(new)) > MAX_LINES
    room = MAX_CHARS
    for line in _unified(old[:MAX_LINES], new[:MAX_LINES], lead):
        shown = line if len(line) <= MAX_LINE_CHARS else f"{line[:MAX_LINE_CHARS]}…"
        room -= len(shown) + 1
        truncated = truncated or shown is not line or room < 0
        if room < 0:
            break
        lines.append(shown)
    return lines, truncated


def _equal(old: Iterable[str], new: Iterable[str]) -> int:
    """How many lines both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _unified(old: list[str], new: list[str], lead: int) -> Iterator[str]:
    """As difflib.unified_diff, for texts that have `lead` equal lines before these."""
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT_LINES):
        first, last = group[0], group[-1]
        yield f"@@ -{_span(first[1], last[2], lead)} +{_span(first[3], last[4], lead)} @@"
        for kind, old_from, old_to, new_from, new_to in group:
            if kind == "equal":
                yield from (f" {line}" for line in old[old_from:old_to])
                continue
            yield from (f"-{line}" for line in old[old_from:old_to])
            yield from (f"+{line}" for line in new[new_from:new_to])


def _span(start: int, stop: int, lead: int) -> str:
    """Lines are counted from 1; no line stands after the one before it."""
    return f"{lead + start + (stop > start)},{stop - start}"
