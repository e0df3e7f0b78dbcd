"""Stores real documentation until there are enough chunks; a child process, told how many. Prints questions.

The pages are those of Debian's packages (python3.11-doc, postgresql-doc-15), read from disk through the
product's own extraction and ingest. The questions are their headings, taken evenly over all of them.
Vectors are drawn as bench-search draws them: they cost what real ones cost, and mean nothing; those of the
questions are the embedder's own.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knowledge.ingest import IncomingDocument

FOLDERS = ("/usr/share/doc/python3.11/html", "/usr/share/doc/postgresql-doc-15/html", "/usr/share/doc/git/html")
SITE = "http://docs.bench.example"
PAGES_PER_TRANSACTION = 50
QUESTIONS = 400


def pages() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted(Path(folder).rglob("*.html"))


def fill(wanted: int) -> None:
    from django.db import transaction

    from knowledge.actions import get_or_create_item
    from knowledge.ingest import prepare_document, store_documents
    from knowledge.models import Chunk
    from tests.benchmarks.search.filling import store_vectors

    item = get_or_create_item(source_id="bench-documentation", url=SITE, title="Documentation")
    left = pages()
    while Chunk.objects.count() < wanted and (paths := list(islice(left, PAGES_PER_TRANSACTION))):
        with transaction.atomic():
            store_documents(item.pk, [prepare_document(document(path)) for path in paths], generation=1)
    store_vectors()
    stored = Chunk.objects.count()
    headings = Chunk.objects.order_by("pk").values_list("heading_path", flat=True)
    asked = [path.rpartition(" > ")[2] for path in headings[:: max(1, stored // QUESTIONS)]]
    sys.stdout.write(json.dumps({"chunks": stored, "questions": [text for text in asked if text.strip()]}))


def document(path: Path) -> IncomingDocument:
    from django.utils import timezone

    from crawler.extract import extract
    from crawler.urls import url_hash
    from knowledge.ingest import IncomingDocument

    url = SITE + str(path)
    found = extract(path.read_text(errors="replace"), url)
    headings = tuple((heading.level, heading.text, heading.anchor) for heading in found.headings)
    return IncomingDocument(
        url=url,
        url_hash=url_hash(url),
        title=found.title,
        markdown=found.markdown,
        headings=headings,
        fetched_at=timezone.now(),
    )


if __name__ == "__main__":
    import django

    django.setup()
    fill(int(sys.argv[1]))
