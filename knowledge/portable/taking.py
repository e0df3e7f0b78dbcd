"""An exported source into rows: kept on disk, taken line by line by a worker, each batch with its count.

`Progress.processed_pages` is how many lines are done and commits with them, so a worker that dies
costs nothing, and a second one at the same file finds out and stands back. Taking a file twice
changes nothing the second time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Max
from django.utils import timezone
from kombu.exceptions import OperationalError

from knowledge import actions, allowance
from knowledge.embedding import portable as vectors
from knowledge.embedding.models import EmbeddingSpace
from knowledge.errors import ImportRunning, ImportTooLarge, UnknownSource
from knowledge.models import Document, KnowledgeItem
from knowledge.portable.batch import Batch, Done
from knowledge.portable.form import MAX_LINE_BYTES, EndLine, Header, body_of, header_of
from progress import disk, tracker, usage
from progress.errors import ProgressEnded, UnknownProgress
from progress.messages import ErrorBody
from progress.models import Progress
from progress.plural import plural, sizes
from progress.status import Status
from progress.viewer import Viewer
from progress.wire import storable

logger = logging.getLogger(__name__)

LINES_PER_BATCH = 16
BYTES_PER_BATCH = 4 * 2**20
# A worker hands on after this long, so that crawls get their turn.
SLICE_SECONDS = 30.0
LOST_AFTER = timedelta(seconds=60)
MAX_HEADER_BYTES = 1_000_000


AGAIN_WITH_ROOM = ErrorBody(
    code=disk.CODE,
    message=disk.FULL["message"],
    hint="Free some space and import it again: what is there already stays.",
)


class Incoming(Protocol):
    def chunks(self) -> Iterator[bytes]: ...


class Overtaken(Exception):
    """Another worker is at this file."""


def start(file: Incoming, *, viewer: Viewer, here: bool = False) -> Progress:
    """Keep the file and queue it; with `here` the caller will `run` it. Raises BadImport, ImportRunning,
    ImportTooLarge, UsedUp and NotOwner; nothing is kept then."""
    allowance.check(viewer.user_id, usage.Kind.BYTES)
    folder().mkdir(parents=True, mode=0o700, exist_ok=True)
    kept = folder() / f"{time.time_ns()}.part"
    try:
        _keep(file, kept)
        with kept.open("rb") as lines:
            header = header_of(lines.readline(MAX_HEADER_BYTES))
        with transaction.atomic():
            row = _create(header, viewer)
            usage.note(row.owner_id, usage.Kind.BYTES, kept.stat().st_size)
            kept.replace(path_of(row.pk))
            if not here:
                transaction.on_commit(partial(wake, row.pk))
    except BaseException:
        kept.unlink(missing_ok=True)
        raise
    return row


def folder() -> Path:
    return Path(settings.DATA_DIR) / "imports"


def path_of(progress_id: str) -> Path:
    return folder() / f"{progress_id}.jsonl"


def _keep(file: Incoming, path: Path) -> None:
    size = 0
    with path.open("xb") as kept:
        for chunk in file.chunks():
            size += len(chunk)
            if size > settings.IMPORT_MAX_BYTES:
                raise ImportTooLarge(settings.IMPORT_MAX_BYTES)
            kept.write(chunk)


def _create(header: Header, viewer: Viewer) -> Progress:
    facts = header.source
    known = KnowledgeItem.objects.visible_to(viewer).filter(source_id=facts.source_id).first()
    item = known or actions.get_or_create_item(
        source_id=actions.private_id(facts.source_id, viewer.user_id),
        owner_id=viewer.user_id,
        url=facts.url,
        title=facts.title,
        source_type=facts.source_type,
        knowledge_type=facts.knowledge_type,
        tags=facts.tags,
        description=facts.description,
        update_frequency=facts.update_frequency,
        group_name=facts.group_name,
    )
    viewer.must_own(f"The source {item.title!r}", item.owner_id)
    KnowledgeItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    running = Progress.objects.active().filter(source_id=item.source_id, kind=Progress.Kind.IMPORT).first()
    if running is not None:
        hint = "Wait until it ends, or stop it."
        raise ImportRunning(f"{item.title} is being imported (progress id {running.pk}).", hint=hint, field="file")
    line = f"Importing {item.title}: {sizes(page=header.counts.pages, chunk=header.counts.chunks)}"
    row = tracker.create(
        Progress.Kind.IMPORT,
        source_id=item.source_id,
        lines=[line],
        owner_id=item.owner_id if item.private else viewer.user_id,
        private=item.private,
    )
    total = header.counts.pages + header.counts.aliases
    return tracker.update(row.pk, row=row, set_={"total_pages": total, "discovered_urls": total})


def wake(progress_id: str) -> None:
    """Ask a worker to take it. A broker that is away is no error here: the sweep asks again."""
    from knowledge.tasks import import_source

    try:
        import_source.delay(progress_id)
    except OperationalError as error:
        logger.warning("broker is away, import %s waits for the sweep: %s", progress_id, error)


def sweep() -> None:
    """Wake what nobody takes, and remove the files of what is over."""
    active = Progress.objects.active().filter(kind=Progress.Kind.IMPORT)
    for progress_id in active.filter(updated_at__lt=timezone.now() - LOST_AFTER).values_list("pk", flat=True):
        wake(progress_id)
    if not folder().is_dir():
        return
    needed = {path_of(progress_id) for progress_id in active.values_list("pk", flat=True)}
    for path in folder().iterdir():
        if path not in needed and path.stat().st_mtime < time.time() - 3600:
            path.unlink(missing_ok=True)


def cancel(progress_id: str, *, viewer: Viewer) -> Progress:
    """What is taken already stays. Raises UnknownProgress, also for what is no import, NotOwner and ProgressEnded."""
    with transaction.atomic():
        if not Progress.objects.visible_to(viewer).filter(pk=storable(progress_id)).exists():
            raise UnknownProgress(f"No import has the progress id {progress_id!r}.", field="progress_id")
        row = tracker.lock(progress_id)
        if row.kind != Progress.Kind.IMPORT:
            raise UnknownProgress(f"No import has the progress id {progress_id!r}.", field="progress_id")
        owners = KnowledgeItem.objects.filter(source_id=row.source_id).values_list("owner_id", flat=True)
        viewer.must_own("The import", row.owner_id, *owners)
        tracker.cancel(
            row.pk, row=row, lines=[f"Cancelled: {plural(row.processed_pages, 'page is', 'pages are')} kept."]
        )
    path_of(progress_id).unlink(missing_ok=True)
    return row


def run(progress_id: str, *, seconds: float = SLICE_SECONDS) -> bool:
    """Take lines for a while; True when more wait. Quiet when it is over, or when another worker is at it."""
    try:
        taking = _Taking(progress_id)
        return taking.run(time.monotonic() + seconds)
    except (ProgressEnded, UnknownProgress, UnknownSource, Overtaken) as reason:
        logger.info("import %s is let go: %s", progress_id, reason)
        return False
    except DatabaseError as error:
        if not disk.is_full(error):
            raise
        tracker.fail_if_stored(progress_id, AGAIN_WITH_ROOM)
        return False
    except OSError as error:
        lost = ErrorBody(code="import_lost", message=f"The file is gone: {error.strerror}.", hint="Import it again.")
        tracker.fail(progress_id, lost)
        return False


class _Taking:
    def __init__(self, progress_id: str) -> None:
        with transaction.atomic():
            row = tracker.lock(progress_id)
            if row.status == Status.QUEUED:
                row = tracker.update(progress_id, row=row, status=Status.STORING)
        self.progress_id = progress_id
        self.done = row.processed_pages
        self.item = KnowledgeItem.objects.visible().filter(source_id=row.source_id).first()
        if self.item is None:
            raise UnknownSource.of(row.source_id)
        newest = Document.objects.filter(item=self.item).aggregate(newest=Max("generation"))["newest"]
        self.generation = newest or 1

    def run(self, ends_at: float) -> bool:
        with path_of(self.progress_id).open("rb") as file:
            header = header_of(file.readline(MAX_HEADER_BYTES))
            space = vectors.space_for(header.vectors.space, header.vectors.dimension) if header.vectors else None
            if not self.done:
                self._tell_vectors(header, space)
            whole = False
            for lines, ended in _batches(file, skipped=self.done):
                whole = ended
                if lines:
                    self._record(lines, header, space)
                if not ended and time.monotonic() > ends_at:
                    return True
        self._end(whole=whole)
        return False

    def _tell_vectors(self, header: Header, space: EmbeddingSpace | None) -> None:
        if header.vectors is not None and space is None:
            line = f"Its vectors are of {header.vectors.space}, which is not the embedder here: they are made anew."
            tracker.update(self.progress_id, lines=[line])

    def _record(self, lines: Sequence[tuple[int, bytes]], header: Header, space: EmbeddingSpace | None) -> None:
        """CPU first, then the rows, their count and the event in one transaction."""
        assert self.item is not None
        batch = Batch(self.item.pk, [_read(number, line) for number, line in lines], header)
        with transaction.atomic():
            row = tracker.lock(self.progress_id)
            if row.processed_pages != self.done:
                raise Overtaken
            done = batch.store(self.generation, space)
            tracker.update(self.progress_id, row=row, add=_counted(len(lines), done), lines=done.lines)
        self.done += len(lines)
        if done.changed:
            actions.knowledge_changed(self.item.source_id, "updated")

    def _end(self, *, whole: bool) -> None:
        with transaction.atomic():
            row = tracker.lock(self.progress_id)
            row = tracker.update(row.pk, row=row, set_={"total_pages": row.processed_pages})
            self._date_source()
            taken = row.processed_pages - row.failed_pages
            if not whole:
                kept = plural(taken, "page was taken and is", "pages were taken and are")
                cut = ErrorBody(
                    code="import_cut_off",
                    message=f"The file ends before its last line; {kept} kept.",
                    hint="Export the source again and import the whole file: what is there already is left as it is.",
                )
                tracker.fail(row.pk, cut, row=row)
            elif row.failed_pages and not taken:
                bad = ErrorBody(
                    code="import_nothing", message="No line of the file can be taken.", hint="The log names the lines."
                )
                tracker.fail(row.pk, bad, row=row)
            else:
                failed = f" {plural(row.failed_pages, 'line')} could not be taken." if row.failed_pages else ""
                taken_in = sizes(page=taken, chunk=row.chunks_stored, vector=row.embedded_chunks)
                line = f"Imported {taken_in}.{failed}"
                tracker.complete(row.pk, row=row, lines=[line])
        path_of(self.progress_id).unlink(missing_ok=True)

    def _date_source(self) -> None:
        """By its newest page, which need not be in the batch that came last."""
        assert self.item is not None
        newest = Document.objects.filter(item=self.item).aggregate(newest=Max("fetched_at"))["newest"]
        if newest is not None:
            KnowledgeItem.objects.filter(pk=self.item.pk).update(fetched_at=newest)


def _read(number: int, line: bytes) -> tuple[int, object]:
    """The line as it is meant, or the sentence that says why it cannot be taken."""
    try:
        return number, body_of(line)
    except ValueError as error:
        return number, str(error)


def _counted(lines: int, done: Done) -> dict[str, int]:
    return {
        "processed_pages": lines,
        "failed_pages": done.failed,
        "chunks_stored": done.chunks,
        "code_examples_stored": done.examples,
        "word_count": done.words,
        "embedded_chunks": done.vectors,
    }


def _batches(file: BinaryIO, *, skipped: int) -> Iterator[tuple[list[tuple[int, bytes]], bool]]:
    """Numbered lines after the header and `skipped` others; with the last of them, whether `end` was there."""
    batch: list[tuple[int, bytes]] = []
    size = 0
    for number, line in _lines(file):
        if _is_end(line):
            yield batch, True
            return
        if number - 2 < skipped:
            continue
        batch.append((number, line))
        size += len(line)
        if len(batch) >= LINES_PER_BATCH or size >= BYTES_PER_BATCH:
            yield batch, False
            batch, size = [], 0
    yield batch, False


def _is_end(line: bytes) -> bool:
    if len(line) > 200 or b'"end"' not in line:
        return False
    try:
        return isinstance(body_of(line), EndLine)
    except ValueError:
        return False


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """From line 2 on; of one that is too long only so much that this can be told. Blank lines count, too."""
    number = 1
    while line := file.readline(MAX_LINE_BYTES + 2):
        number += 1
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(2**20)):
            pass
        yield number, line
