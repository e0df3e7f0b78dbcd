"""The parts of a file that holds several documents, stored some at a time while the file itself stays leased.

An archive of a thousand files in one transaction would keep every other writer out for seconds. A worker that dies in
between leaves its parts stored and counted; the next one finds their rows and counts none of them twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from crawler import admission, frontier
from crawler.frontier import Candidate
from crawler.models import CrawlJob, CrawlUrl
from crawler.urls import url_hash
from crawler.verdicts import verdict_of
from knowledge.ingest import PreparedDocument, Stored, remove_documents, store_documents
from knowledge.models import Document, KnowledgeItem
from progress import tracker, usage
from progress.models import Progress
from progress.plural import plural

PARTS_AT_ONCE = 32
SPLIT = "split"
SKIPPED = CrawlUrl.State.SKIPPED


@dataclass(frozen=True, slots=True)
class Split:
    """A file that was read as several documents, and is not stored itself. `links` are what its site names besides."""

    url: CrawlUrl
    http_status: int
    milliseconds: int
    size: int
    title: str
    line: str
    documents: Sequence[PreparedDocument]
    links: Sequence[Candidate] = ()


def record_parts(job: CrawlJob, split: Split) -> bool:
    """Store the documents, batch by batch. False when the file was given to another worker meanwhile.

    Raises ProgressEnded when the crawl is over.
    """
    for start in range(0, len(split.documents), PARTS_AT_ONCE):
        with transaction.atomic():
            row = tracker.lock(job.progress_id)
            if not KnowledgeItem.objects.visible().filter(pk=job.item_id).exists():
                return True  # whoever records the file ends the crawl
            if not frontier.still_leased([split.url]):
                return False
            if not _store(job, row, split, split.documents[start : start + PARTS_AT_ONCE]):
                return True
        frontier.renew(split.url.lease_owner, [split.url.id])
    return True


def _store(job: CrawlJob, row: Progress, split: Split, documents: Sequence[PreparedDocument]) -> bool:
    """False when the page limit leaves no room for more. What a document's address was before, queued or failed or
    skipped, is no longer counted as that."""
    hashes = [document.incoming.url_hash for document in documents]
    known = dict(CrawlUrl.objects.filter(job=job, url_hash__in=hashes).values_list("url_hash", "state"))
    room = job.max_pages - row.total_pages + 1  # the file itself will not count
    counted = [one for one in documents if known.get(one.incoming.url_hash, SKIPPED) != SKIPPED]
    further = [one for one in documents if known.get(one.incoming.url_hash, SKIPPED) == SKIPPED]
    full = len(further) > max(0, room)
    wanted = counted + further[: max(0, room)]
    before = Counter(known.get(one.incoming.url_hash) for one in wanted)
    results = store_documents(job.item_id, wanted, generation=job.generation) if wanted else []
    urls = [_row(job, split.url, document, result) for document, result in zip(wanted, results, strict=True)]
    frontier.save_results(urls, ("container", "depth"))
    read = len(wanted) - before[CrawlUrl.State.DONE]
    if full and not job.truncated:
        job.truncated = "max_pages"
        job.save(update_fields=["truncated"])
    tracker.update(
        job.progress_id,
        row=row,
        status=admission.crawling(row),
        add={
            "total_pages": before[None] + before[SKIPPED],
            "processed_pages": read - before[CrawlUrl.State.FAILED],
            "failed_pages": -before[CrawlUrl.State.FAILED],
            "skipped_pages": -before[SKIPPED],
            "discovered_urls": before[None],
            "chunks_stored": sum(result.chunks for result in results),
            "code_examples_stored": sum(result.code_examples for result in results),
            "word_count": sum(result.words for result in results),
        },
        set_={"current_url": urls[-1].url} if urls else None,
        lines=[f"Read {plural(read, 'document')} of {split.url.url}"]
        + ([f"Page limit of {job.max_pages} reached: further documents are left out."] if full else []),
        verdicts=map(verdict_of, urls),
    )
    usage.note(row.owner_id, usage.Kind.PAGES, read)
    return not full


def _row(job: CrawlJob, container: CrawlUrl, document: PreparedDocument, result: Stored) -> CrawlUrl:
    incoming = document.incoming
    return CrawlUrl(
        job=job,
        url=incoming.url,
        url_hash=incoming.url_hash,
        container=container.url_hash,
        depth=container.depth,
        state=CrawlUrl.State.DONE,
        reason=result.outcome,
        attempts=1,
        http_status=incoming.http_status,
        size=len(incoming.markdown.encode()),
        chunks=result.chunks,
        document_id=result.document_id,
        fetched_at=timezone.now(),
    )


def end_split(job: CrawlJob, split: Split) -> int:
    """The file's own row, and the removal of documents that are no longer in it. How many went.

    Called in the transaction that records the file. A file that was cut at the page limit tells nothing of what is
    gone.
    """
    url = split.url
    url.state, url.reason = CrawlUrl.State.SKIPPED, SPLIT
    url.http_status, url.milliseconds, url.size = split.http_status, split.milliseconds, split.size
    url.fetched_at = timezone.now()
    url.error_code = url.error_message = url.error_hint = ""
    if job.truncated:
        return 0
    old = Document.objects.filter(item=job.item_id, generation__lt=job.generation)
    parts = CrawlUrl.objects.filter(job__item=job.item_id, container=url.url_hash)
    gone = set(old.filter(url_hash__in=parts.values("url_hash")).values_list("url_hash", flat=True))
    gone |= set(old.filter(url_hash=url_hash(url.url)).values_list("url_hash", flat=True))  # was one page once
    return remove_documents(job.item_id, gone) if gone else 0


def parts_of(job: CrawlJob, containers: Collection[str]) -> set[str]:
    """Hashes of the documents that these files, by hash, held at any crawl of this source."""
    rows = CrawlUrl.objects.filter(job__item=job.item_id, container__isnull=False) if containers else ()
    return {row.url_hash for row in rows if row.container in containers}
