"""How far a model is with the code examples, told under a progress id of its own; and of a source, in its lists.

The operation is everybody's, so its lines say counts and reasons and name no source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from django.db import transaction
from django.db.models import Count, Q

from knowledge.describing.models import Describer
from knowledge.models import CodeExample, KnowledgeItem
from progress import tracker
from progress.errors import ProgressEnded, UnknownProgress
from progress.models import Progress, new_progress_id
from progress.plural import plural
from progress.status import Status


class Descriptions(TypedDict):
    """`by_model`: named by a model. `failed`: their page's own words stay; `reason` is that of the newest failure, also
    of one that is tried again."""

    by_model: int
    waiting: int
    failed: int
    reason: str


def descriptions(item: KnowledgeItem) -> Descriptions:
    from knowledge.describing.work import MAX_ATTEMPTS, describer_name

    undone, given_up = Q(described_by=""), Q(describe_attempts__gte=MAX_ATTEMPTS)
    examples = CodeExample.objects.filter(item=item)
    counts = examples.aggregate(
        by_model=Count("pk", filter=~undone),
        waiting=Count("pk", filter=undone & ~given_up),
        failed=Count("pk", filter=undone & given_up),
    )
    at_work = bool(describer_name())
    tried = examples.filter(undone).exclude(describe_error="").order_by("-describe_at")
    reason = tried.values_list("describe_error", flat=True).first() or ""
    away = Describer.objects.filter(name=describer_name()).exclude(away_since=None).first() if at_work else None
    return Descriptions(
        by_model=counts["by_model"],
        waiting=counts["waiting"] if at_work else 0,
        failed=counts["failed"],
        reason=reason or (away.away_reason if away is not None and counts["waiting"] else ""),
    )


def undescribed(item_id: int) -> list[str]:
    """A sentence for the end of an operation on a source."""
    from knowledge.describing.work import describer_name, waiting

    count = waiting().filter(item=item_id).count() if describer_name() else 0
    return [f"{describer_name()} names {plural(count, 'code example')} in the background."] if count else []


def begin(describer: Describer, count: int) -> None:
    """Show the work, if nothing shows it yet."""
    if Progress.objects.active().filter(pk=describer.progress_id).exists():
        return
    with transaction.atomic():
        describer.progress_id = f"describe-{new_progress_id()}"
        describer.save(update_fields=["progress_id"])
        line = f"{describer.name} writes titles and summaries of {plural(count, 'code example')}."
        tracker.create(Progress.Kind.DESCRIBE, progress_id=describer.progress_id, lines=[line])
        tracker.update(describer.progress_id, status=Status.STORING, set_={"total_pages": count})


def moved(describer: Describer, described: int, given_up: Sequence[str], *, left: int) -> None:
    """In the transaction that stores them; the last one ends the operation."""
    lines = [f"A code example keeps its page's own words: {reason}" for reason in given_up]
    try:
        row = tracker.lock(describer.progress_id)
        done, failed = row.code_examples_stored + described, row.failed_pages + len(given_up)
        counts = {"code_examples_stored": done, "processed_pages": done + failed, "failed_pages": failed}
        tracker.update(row.id, row=row, lines=lines, set_={**counts, "total_pages": done + failed + left})
        if not left:
            _end(describer, row)
    except (ProgressEnded, UnknownProgress):
        pass


def _end(describer: Describer, row: Progress) -> None:
    line = f"{describer.name} described {plural(row.code_examples_stored, 'code example')}"
    line += f"; {plural(row.failed_pages, 'keeps its', 'keep their')} page's own words." if row.failed_pages else "."
    tracker.complete(row.id, row=row, lines=[line])
    Describer.objects.filter(pk=describer.pk).update(progress_id="")
    describer.progress_id = ""


def away(describer: Describer, reason: str, retry_after: float | None = None) -> None:
    """Told once, however often it is asked in vain."""
    first = describer.away_since is None
    seconds = describer.went(reason, retry_after)
    if first and describer.progress_id:
        try:
            line = f"No titles and summaries from {describer.name}: {reason} It is asked again in {seconds:.0f} s."
            tracker.update(describer.progress_id, lines=[line])
        except (ProgressEnded, UnknownProgress):
            pass


def end_others(name: str) -> None:
    """Another model is configured, or none: what the one before had begun ends."""
    for other in Describer.objects.exclude(progress_id="").exclude(name=name):
        try:
            with transaction.atomic():
                line = f"{other.name} is no longer asked: it is not the configured model now."
                tracker.cancel(other.progress_id, lines=[line])
        except (ProgressEnded, UnknownProgress):
            pass
        Describer.objects.filter(pk=other.pk).update(progress_id="")
