"""What pages said before they changed: kept compressed, for a while, within bounds."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db.models import F, QuerySet, Sum, Window
from django.db.models.functions import Coalesce, RowNumber

from knowledge.ingest.batches import batches
from knowledge.models import Document, PageRevision

# Fast rather than small: the source is locked meanwhile.
COMPRESSION = 1


def keep_texts(documents: Sequence[Document]) -> None:
    """Of stored pages that are about to change, in the transaction that changes them."""
    if not documents or not settings.REVISIONS_PER_PAGE:
        return
    rows = Document.objects.filter(pk__in=[document.pk for document in documents])
    texts = rows.values_list("pk", "title", "changed_at", Coalesce("alias_of__markdown", "markdown"))
    PageRevision.objects.bulk_create([_revision(*row) for row in texts])


def text_of(revision: PageRevision) -> str:
    return zlib.decompress(revision.packed).decode()


def trim() -> None:
    """Down to ARCHON_REVISIONS_PER_PAGE of each page and ARCHON_REVISIONS_MEGABYTES in all; the oldest go."""
    newest_first = F("pk").desc()
    place = Window(RowNumber(), partition_by=F("document"), order_by=newest_first)
    _delete(PageRevision.objects.annotate(place=place).filter(place__gt=settings.REVISIONS_PER_PAGE))
    together = Window(Sum("size"), order_by=newest_first)
    allowed = settings.REVISIONS_MEGABYTES * 2**20
    _delete(PageRevision.objects.annotate(together=together).filter(together__gt=allowed))


def _revision(document_id: int, title: str, since: datetime, markdown: str) -> PageRevision:
    packed = zlib.compress(markdown.encode(), COMPRESSION)
    return PageRevision(document_id=document_id, title=title, since=since, size=len(packed), packed=packed)


def _delete(rows: QuerySet[PageRevision]) -> None:
    for pks in batches(list(rows.values_list("pk", flat=True))):
        PageRevision.objects.filter(pk__in=pks).delete()
