"""The rows of deleted sources: hidden already, taken out in batches short enough for crawls to go on between them."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from knowledge.ingest.batches import ROWS_PER_STATEMENT
from knowledge.ingest.example_rows import remove_examples
from knowledge.ingest.store import remove_chunks
from knowledge.models import Chunk, CodeExample, Document, KnowledgeItem
from progress import tracker
from progress.errors import ProgressEnded, UnknownProgress
from progress.models import Progress
from progress.plural import plural
from progress.status import Status

PAGES_PER_BATCH = 50


def progress_of(item_id: int) -> str:
    return f"purge-{item_id}"


def announce(item: KnowledgeItem, source_id: str) -> Progress:
    """The operation that a client may follow, in the transaction that hides the source. `source_id` is what the source
    was called until then."""
    total = Document.objects.filter(item=item).count()
    line = f"Deleting {item.title}: {plural(total, 'page')}"
    row = tracker.create(
        Progress.Kind.PURGE,
        progress_id=progress_of(item.pk),
        source_id=source_id,
        lines=[line],
        owner_id=item.owner_id,
        private=item.private,
    )
    return tracker.update(row.id, row=row, set_={"total_pages": total})


def purge_batch() -> bool:
    """Remove some rows of one hidden source. False: none is left."""
    hidden = KnowledgeItem.objects.filter(deleted_at__isnull=False).order_by("pk")
    item_id = hidden.values_list("pk", flat=True).first()
    if item_id is None:
        return False
    with transaction.atomic():
        row = _locked(item_id)
        item = hidden.select_for_update().filter(pk=item_id).first()
        if item is None:  # another worker took the last of it
            return True
        pages = _next_pages(item)
        if pages:
            _remove(pages, row)
            return True
        item.delete()
        if row is not None:
            tracker.complete(row.id, row=row, lines=[f"Deleted {item.title}: {plural(row.processed_pages, 'page')}."])
    return True


def _locked(item_id: int) -> Progress | None:
    """Locked before the item, as every writer of pages does. None for a source that nobody follows."""
    try:
        return tracker.lock(progress_of(item_id))
    except (UnknownProgress, ProgressEnded):
        return None


def _next_pages(item: KnowledgeItem) -> list[int]:
    """Aliases point to their originals, so they go first."""
    of_item = Document.objects.filter(item=item).order_by("item", "pk").values_list("pk", flat=True)
    return list(of_item.filter(alias_of__isnull=False)[:ROWS_PER_STATEMENT]) or list(of_item[:PAGES_PER_BATCH])


def _remove(pages: list[int], row: Progress | None) -> None:
    """The pages, or as much of what they hold as one transaction should take."""
    chunks = _some(Chunk.objects.filter(document__in=pages))
    if chunks:
        remove_chunks(chunks)
    examples = _some(CodeExample.objects.filter(document__in=pages))
    remove_examples(examples)
    removed = 0
    if max(len(chunks), len(examples)) < ROWS_PER_STATEMENT:
        Document.objects.filter(pk__in=pages).delete()
        removed = len(pages)
    if row is not None:
        status = Status.STORING if row.status == Status.QUEUED else None
        tracker.update(row.id, row=row, status=status, add={"processed_pages": removed})


def _some(rows: QuerySet[Chunk] | QuerySet[CodeExample]) -> list[int]:
    return list(rows.values_list("pk", flat=True)[:ROWS_PER_STATEMENT])
