"""What must be true of a crawl that ended, whatever was killed meanwhile: I1 to I6 of the design, read from the rows.

As a program it judges a crawl of the stack whose environment it is given: lines of its input are the progress id, how
many linked pages do not exist, and the URLs that do; it prints a JSON list of what is violated.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import Count, Max, Min

if TYPE_CHECKING:  # as a program, the models can be imported only once Django is set up
    from progress.models import Progress

KEYWORD_ROWS = {
    "sqlite": "SELECT count(*) FROM knowledge_chunk_fts WHERE rowid BETWEEN %s AND %s",
    "postgresql": "SELECT count(*) FROM knowledge_chunk_words WHERE chunk_id BETWEEN %s AND %s",
}


def violations(progress_id: str, expected: Collection[str], *, missing: int = 0) -> list[str]:
    """`expected` are the URLs of every page that can be reached; `missing` more are linked to and do not exist."""
    from progress.models import Progress

    row = Progress.objects.get(pk=progress_id)
    return [
        *_ended(row, missing),
        *_pages(row, set(expected)),
        *_chunks(row),
        *_counters(row),
        *_events(row),
    ]


def _ended(row: Progress, missing: int) -> Iterator[str]:
    if row.status != "completed":
        yield f"I1: the crawl is {row.status}: {row.error}"
    if row.failed_pages != missing:
        failed = row.job.urls.filter(state="failed").values_list("url", "error_code")
        yield f"I1: {row.failed_pages} pages failed, {missing} do not exist: {list(failed)[:5]}"


def _pages(row: Progress, expected: set[str]) -> Iterator[str]:
    from knowledge.models import Document

    done = Counter(row.job.urls.filter(state="done").values_list("url", flat=True))
    stored = Counter(Document.objects.filter(item=row.job.item_id).values_list("url", flat=True))
    for name, found in (("done", done), ("stored", stored)):
        if lost := expected - found.keys():
            yield f"I2: {len(lost)} pages are not {name}: {sorted(lost)[:5]}"
        if foreign := found.keys() - expected:
            yield f"I2: {len(foreign)} pages are {name} that nobody links to: {sorted(foreign)[:5]}"
        if double := [url for url, count in found.items() if count > 1]:
            yield f"I3: {len(double)} pages are {name} more than once: {double[:5]}"
    leased = row.job.urls.filter(state="leased").count()
    if leased:
        yield f"I1: {leased} pages are still leased"


def _chunks(row: Progress) -> Iterator[str]:
    from knowledge.models import Chunk, Document

    documents = Document.objects.filter(item=row.job.item_id)
    held = dict(Chunk.objects.filter(item=row.job.item_id).values_list("document").annotate(count=Count("id")))
    for pk, count in documents.values_list("pk", "chunk_count"):
        if held.get(pk, 0) != count:
            yield f"I3: document {pk} says {count} chunks and has {held.get(pk, 0)}"
    item = row.job.item
    told = (item.document_count, item.chunk_count, row.chunks_stored)
    counted = (documents.count(), sum(held.values()), sum(held.values()))
    if told != counted:
        yield f"I4: documents, chunks, chunks of the crawl are {counted}, told are {told}"
    ids = Chunk.objects.aggregate(first=Min("id"), last=Max("id"), count=Count("id"))
    with connection.cursor() as cursor:
        cursor.execute(KEYWORD_ROWS[connection.vendor], [ids["first"] or 0, ids["last"] or 0])
        (indexed,) = cursor.fetchone()
    if indexed != ids["count"]:
        yield f"I3: the keyword index holds {indexed} rows for {ids['count']} chunks"


def _counters(row: Progress) -> Iterator[str]:
    states = Counter(row.job.urls.values_list("state", flat=True))
    counted = (
        sum(states.values()) - states["skipped"],
        states["done"] + states["failed"],
        states["failed"],
        states["skipped"],
        sum(states.values()),
    )
    told = (row.total_pages, row.processed_pages, row.failed_pages, row.skipped_pages, row.discovered_urls)
    if told != counted:
        yield f"I4: total, processed, failed, skipped, discovered are {counted}, told are {told}"


def _events(row: Progress) -> Iterator[str]:
    from progress.models import ProgressEvent

    events = list(ProgressEvent.objects.filter(progress=row).order_by("sequence").values_list("sequence", "payload"))
    if [sequence for sequence, _ in events] != list(range(1, row.sequence + 1)):
        yield f"I5: {len(events)} events for a sequence of {row.sequence}"
    ends = [json.loads(payload)["status"] in ("completed", "failed", "cancelled") for _, payload in events]
    if ends.count(True) != 1 or not ends[-1]:
        yield f"I6: {ends.count(True)} ends, the last event is {'one' if ends[-1] else 'none'}"


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "archon.settings")
    django.setup()
    progress_id, missing, *expected = sys.stdin.read().split("\n")
    sys.stdout.write(json.dumps(violations(progress_id, expected, missing=int(missing))))


if __name__ == "__main__":
    main()
