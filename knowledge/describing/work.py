"""Which code examples wait for a model's words, and one batch of them at a time.

An example waits as long as no model described it, so no lost message loses one. A source is locked while its
descriptions are stored, as by whoever stores its pages; no lock and no connection is held while the model writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from knowledge.chat import llm
from knowledge.chat.errors import AnswerFailed
from knowledge.describing import telling
from knowledge.describing.asking import Answer, Asked, Description, described
from knowledge.describing.models import DESCRIBER_CHARS, LEASE_SECONDS, Describer
from knowledge.embedding import queue
from knowledge.embedding.rows import wake_on_commit
from knowledge.ingest.prepare import renamed
from knowledge.models import CodeExample, KnowledgeItem
from knowledge.search.keyword import IndexEntry, example_index
from progress.loop import submit

BATCH_SIZE = 8
# Failures of an example itself; after the first it is asked about alone, so that it spoils no answer of others.
MAX_ATTEMPTS = 5
AGAIN = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
# Failures that say nothing of what was asked.
OF_ENDPOINT = frozenset({"llm_unreachable", "llm_rate_limited", "llm_unauthorized", "llm_unknown_model"})
ERROR_CHARS = 500


def describer_name() -> str:
    """The model that describes code; empty when none shall."""
    return llm.label()[:DESCRIBER_CHARS] if settings.DESCRIBE_CODE else ""


def waiting() -> QuerySet[CodeExample]:
    """Examples of visible sources that no model described yet, and that none has given up on."""
    return CodeExample.objects.visible().filter(described_by="", describe_attempts__lt=MAX_ATTEMPTS)


def run() -> bool:
    """Ask the model once; True when it may be asked again at once. Vectors come first: they share the workers."""
    name = describer_name()
    telling.end_others(name)
    if not name or _vectors_are_made() or not _next():
        return False
    describer = Describer.claimed(name)
    if describer is None:
        return False
    try:
        _describe(describer, _next())
    finally:
        describer.release()
    return bool(_next()) and not describer.resting


def _vectors_are_made() -> bool:
    return queue.current() is not None and queue.away() is None and queue.pending().exists()


def _next() -> list[CodeExample]:
    """Of one source: what a page says must not get into the words for the private code of another."""
    due = waiting().filter(Q(describe_at=None) | Q(describe_at__lte=timezone.now()))
    first = due.filter(describe_attempts=0).order_by("pk").values_list("item", flat=True).first()
    if first is None:
        return list(_read(due.order_by("describe_at", "pk")[:1]))
    return list(_read(due.filter(describe_attempts=0, item=first).order_by("pk")[:BATCH_SIZE]))


def _read(examples: QuerySet[CodeExample]) -> QuerySet[CodeExample]:
    return examples.select_related("document").defer("document__markdown")


def _describe(describer: Describer, examples: Sequence[CodeExample]) -> None:
    if not examples:
        return
    telling.begin(describer, waiting().count())
    known = _known(examples)
    answers: Answer = [known.get(one.content_hash, "") for one in examples]
    new = [number for number, one in enumerate(examples) if one.content_hash not in known]
    if new:
        asked = [_asked(examples[number]) for number in new]
        if not connection.in_atomic_block:
            connection.close()
        try:
            told = submit(described(asked)).result(LEASE_SECONDS)
        except AnswerFailed as error:
            reason = f"{error.message} {error.hint}".strip()
            if error.code in OF_ENDPOINT:
                telling.away(describer, reason, error.retry_after)
                return
            told = [reason] * len(new)
        for number, answer in zip(new, told, strict=True):
            answers[number] = answer
    _store(describer, examples, answers)
    faults = [answer for answer in answers if isinstance(answer, str)]
    if len(faults) == len(examples):  # it may never say anything of use: not all in a row are asked about
        telling.away(describer, faults[0])
    else:
        describer.came_back()


def _known(examples: Sequence[CodeExample]) -> dict[str, Description]:
    """The same code elsewhere in the source was described already."""
    hashes = [one.content_hash for one in examples]
    rows = CodeExample.objects.filter(item=examples[0].item_id, content_hash__in=hashes).exclude(described_by="")
    found = rows.values_list("content_hash", "title", "summary")
    return {content_hash: Description(title, summary) for content_hash, title, summary in found}


def _asked(example: CodeExample) -> Asked:
    words = ". ".join(filter(None, (example.title, example.summary)))
    return Asked(example.language, example.heading_path, words, example.code)


def _store(describer: Describer, examples: Sequence[CodeExample], answers: Answer) -> None:
    """Rows that went meanwhile stay away, and those of a page that changed keep its new headings."""
    of = dict(zip([one.pk for one in examples], answers, strict=True))
    with transaction.atomic():
        source = KnowledgeItem.objects.select_for_update(no_key=True).filter(pk=examples[0].item_id)
        source.values_list("pk").first()
        rows = list(_read(CodeExample.objects.filter(pk__in=of, described_by="")))
        written = [row for row in rows if isinstance(of[row.pk], Description)]
        entries = [_write(row, of[row.pk], describer.name) for row in written]
        if entries:
            CodeExample.objects.bulk_update(
                written, ["title", "summary", "text_hash", "described_by", "describe_error"]
            )
            example_index().add(entries)
            wake_on_commit()
        given_up = _count_faults([(row, answer) for row in rows if isinstance(answer := of[row.pk], str)])
        telling.moved(describer, len(written), given_up, left=waiting().count())


def _write(row: CodeExample, words: Description | str, model: str) -> IndexEntry:
    assert isinstance(words, Description)
    row.title, row.summary, row.described_by, row.describe_error = words.title, words.summary, model, ""
    row.text_hash, indexed = renamed(row, row.document.title)
    return IndexEntry(row.pk, indexed)


def _count_faults(failed: Sequence[tuple[CodeExample, str]]) -> Sequence[str]:
    """The reasons of those that are given up on."""
    for row, reason in failed:
        again = AGAIN[min(row.describe_attempts, len(AGAIN) - 1)]
        CodeExample.objects.filter(pk=row.pk).update(
            describe_attempts=F("describe_attempts") + 1,
            describe_error=reason[:ERROR_CHARS],
            describe_at=timezone.now() + again,
        )
    return [reason for row, reason in failed if row.describe_attempts + 1 >= MAX_ATTEMPTS]
