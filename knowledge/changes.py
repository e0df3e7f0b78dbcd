"""What became of a source's pages since a date, for REST and for assistants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from django.conf import settings
from django.db.models import Case, CharField, F, Value, When
from django.utils import timezone

from knowledge.models import Document, KnowledgeItem, PageRevision, RemovedPage

Change = Literal["added", "changed", "removed"]
RECENT = timedelta(days=7)
# Beyond these a date of another time zone is no date in UTC.
OLDEST, NEWEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
FIELDS = ("page", "address", "name", "change", "at")


@dataclass(frozen=True, slots=True)
class PageChange:
    """`page_id` is None for a page that is gone; one that left and came back stands there twice. `has_diff`: an earlier
    text of it is kept, of a new page that was changed since, too."""

    page_id: int | None
    url: str
    title: str
    change: Change
    at: datetime
    has_diff: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """Newest first; `counts` are those of all changes, not only of the listed ones."""

    since: datetime
    pages: list[PageChange]
    counts: dict[Change, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def changes_of(item: KnowledgeItem, since: datetime | None = None, *, limit: int = 100, offset: int = 0) -> Changes:
    """Without `since`: of the last seven days. A page that is new and was changed since is new. Five queries."""
    after = since or timezone.now() - RECENT
    if timezone.is_naive(after):
        after = timezone.make_aware(after, UTC)
    after = min(max(after, OLDEST), NEWEST)
    there, gone = _there(item, after), _gone(item, after)
    rows = list(there.union(gone, all=True).order_by("-at", "page")[offset : offset + limit])
    kept = _with_earlier_text([page for page, _, _, change, _ in rows if change != "removed"], after)
    pages = [
        PageChange(None if change == "removed" else page, url, title, cast(Change, change), at, has_diff=page in kept)
        for page, url, title, change, at in rows
    ]
    added = there.filter(first_seen_at__gt=after).count()
    counts: dict[Change, int] = {"added": added, "changed": there.count() - added, "removed": gone.count()}
    return Changes(after, pages, counts)


def forget_old() -> None:
    """Pages that left their site longer ago than anybody asks for."""
    before = timezone.now() - timedelta(days=settings.REMOVED_PAGES_DAYS)
    RemovedPage.objects.filter(removed_at__lt=before).delete()


def _there(item: KnowledgeItem, after: datetime) -> Any:  # a query set of FIELDS, as below
    added = When(first_seen_at__gt=after, then=Value("added"))
    rows = Document.objects.filter(item=item, alias_of=None, changed_at__gt=after)
    change = Case(added, default=Value("changed"), output_field=CharField())
    named = rows.annotate(page=F("pk"), address=F("url"), name=F("title"), change=change, at=F("changed_at"))
    return named.values_list(*FIELDS)


def _with_earlier_text(pages: list[int], after: datetime) -> set[int]:
    kept = PageRevision.objects.filter(document__in=pages, replaced_at__gt=after)
    return set(kept.values_list("document", flat=True))


def _gone(item: KnowledgeItem, after: datetime) -> Any:
    rows = RemovedPage.objects.filter(item=item, removed_at__gt=after)
    change = Value("removed", output_field=CharField())
    named = rows.annotate(page=F("page_id"), address=F("url"), name=F("title"), change=change, at=F("removed_at"))
    return named.values_list(*FIELDS)
