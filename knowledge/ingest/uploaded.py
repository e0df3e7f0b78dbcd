"""One upload from its bytes to documents: claimed, read in a child, stored batch by batch, ended with the reason."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import PurePosixPath
from urllib.parse import quote

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from knowledge import uploads
from knowledge.actions import delete_item, knowledge_changed
from knowledge.embedding import queue
from knowledge.embedding.telling import missing_vectors, waits_for_vectors
from knowledge.errors import UnknownSource
from knowledge.ingest import (
    IncomingDocument,
    PreparedDocument,
    Stored,
    prepare_document,
    remove_documents,
    store_documents,
)
from knowledge.models import Document, Upload, UploadedFile
from knowledge.readers import Expected, Left, Limits, Part, Said, Trouble, read
from progress import disk, tracker
from progress.errors import ProgressEnded, UnknownProgress
from progress.messages import ErrorBody
from progress.models import Progress
from progress.plural import plural, sizes
from progress.status import Status
from progress.viewer import OPERATOR

LEASE_SECONDS = 30.0
LOOK_SECONDS = 1.0
MAX_ATTEMPTS = 3
BATCH_SIZE = 16
AGAIN_WITH_ROOM = ErrorBody(
    code=disk.CODE,
    message=disk.FULL["message"],
    hint="Free some space and upload it again: what was read already stays.",
)
ZEROS = dict.fromkeys(
    (
        "processed_pages",
        "failed_pages",
        "skipped_pages",
        "chunks_stored",
        "code_examples_stored",
        "word_count",
        "discovered_urls",
    ),
    0,
)


class Overtaken(Exception):
    """Another worker holds this upload now."""


def run(upload_id: int) -> None:
    """Read and store an upload. Returns quietly when it is over, or when another worker is at it."""
    upload = Upload.objects.select_related("item", "progress").filter(pk=upload_id).first()
    if upload is None:
        return
    try:
        if not _claim(upload):
            return
        _Reading(upload).run()
    except (ProgressEnded, UnknownProgress, UnknownSource):  # cancelled, or the source was deleted
        pass
    except Overtaken:
        return
    except (DatabaseError, OSError) as error:
        if not disk.is_full(error):
            raise
        if not tracker.fail_if_stored(upload.progress_id, AGAIN_WITH_ROOM):
            return
    uploads.forget(upload)


def _claim(upload: Upload) -> bool:
    with transaction.atomic():
        row = tracker.lock(upload.progress_id)
        upload.refresh_from_db()
        held = upload.lease_until is not None and upload.lease_until > timezone.now()
        if held or row.status == Status.EMBEDDING:  # stored already, and only waits for its vectors
            return False
        upload.epoch += 1
        upload.lease_until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
        upload.save(update_fields=["epoch", "lease_until"])
        if upload.epoch > MAX_ATTEMPTS:
            _fail(upload, row, _lost(upload))
            raise_after = True
        else:
            UploadedFile.objects.filter(upload=upload).delete()
            status = Status.STARTING if row.status == Status.QUEUED else None
            total = len(upload.originals)
            line = f"Reading {total} file{'s' * (total > 1)}"
            counts = {**ZEROS, "total_pages": total, "discovered_urls": total}
            tracker.update(row.id, row=row, status=status, set_=counts, lines=[line])
            raise_after = False
    if raise_after:
        raise ProgressEnded("The upload was given up.")
    return True


def _lost(upload: Upload) -> ErrorBody:
    return ErrorBody(
        code="worker_lost",
        message=f"{upload.item.title} was given up after {MAX_ATTEMPTS} workers died while they read it.",
        hint="Split it, and upload the pieces.",
    )


class _Reading:
    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self.generation = upload.generation + upload.epoch
        self.looked_at = time.monotonic()
        self.files: list[UploadedFile] = []
        self.documents: list[tuple[UploadedFile, PreparedDocument]] = []
        self.lines: list[str] = []
        self.expected = 0
        self.seen: set[str] = set()

    def run(self) -> None:
        for original in self.upload.originals:
            for said in self._said(original):
                self._take(said, original)
                if len(self.files) >= BATCH_SIZE:
                    self._record()
        self._record(last=True)

    def _said(self, original: dict[str, str]) -> Iterator[Said]:
        path = uploads.uploads_folder() / original["path"]
        try:
            file = path.open("rb")
        except OSError as error:
            yield Trouble(original["name"], "file_lost", f"{original['name']} is gone: {error.strerror}.", _AGAIN)
            return
        limits = Limits(memory=settings.UPLOAD_MEMORY_BYTES)
        with file:
            yield from read(file, original["name"], pages=settings.PAGE_READER, limits=limits, look=self._look)

    def _take(self, said: Said, original: dict[str, str]) -> None:
        packed = said.name != original["name"] if isinstance(said, Part | Trouble) else False
        if isinstance(said, Expected):
            self.expected += max(said.total, 1) - 1  # an archive without documents is one failure, its own
        elif isinstance(said, Left):
            self.lines.append(f"Left out of {original['name']}: {plural(said.count, 'file')} of other kinds")
        elif isinstance(said, Trouble):
            self.files.append(_failed(self.upload, said, f"{original['name']}/{said.name}" if packed else said.name))
            self.lines.append(f"Failed: {said.message}")
        else:
            self._take_part(said, f"{original['name']}/{said.name}" if packed else said.name, original)

    def _take_part(self, part: Part, name: str, original: dict[str, str]) -> None:
        shown = f"{name} ({part.fragment.replace('=', ' ')})" if part.fragment else name
        file = UploadedFile(upload=self.upload, name=shown, content_type=part.content_type)
        file.size = part.size or int(original["size"])
        url = f"upload://{self.upload.item.source_id}/{quote(name)}" + (f"#{part.fragment}" if part.fragment else "")
        self.expected += name in self.seen  # a further stretch of a large file
        self.seen.add(name)
        document = incoming(part, url, code_examples=self.upload.extract_code_examples)
        self.documents.append((file, prepare_document(document)))
        self.files.append(file)

    def _look(self) -> None:
        """Is the upload still wanted, and still ours? Then keep it."""
        if time.monotonic() - self.looked_at < LOOK_SECONDS:
            return
        self.looked_at = time.monotonic()
        if Progress.objects.only("status").get(pk=self.upload.progress_id).ended:
            raise ProgressEnded("The upload is over.")
        until = timezone.now() + timedelta(seconds=LEASE_SECONDS)
        if not Upload.objects.filter(pk=self.upload.pk, epoch=self.upload.epoch).update(lease_until=until):
            raise Overtaken

    def _record(self, *, last: bool = False) -> None:
        """Documents, verdicts, counters and event in one transaction; the end too, when this is the last of it."""
        with transaction.atomic():
            row = tracker.lock(self.upload.progress_id)
            if not Upload.objects.filter(pk=self.upload.pk, epoch=self.upload.epoch).exists():
                raise Overtaken
            prepared = [document for _, document in self.documents]
            stored = store_documents(self.upload.item_id, prepared, generation=self.generation) if prepared else []
            for (file, _), result in zip(self.documents, stored, strict=True):
                file.chunks, file.document_id, file.reason = result.chunks, result.document_id, result.outcome
            UploadedFile.objects.bulk_create(self.files)
            row = self._report(row, stored)
            if last:
                finish(self.upload, row)
        self.files, self.documents, self.lines, self.expected = [], [], [], 0
        knowledge_changed(self.upload.item.source_id, "updated")

    def _report(self, row: Progress, stored: Sequence[Stored]) -> Progress:
        failed = sum(file.state == UploadedFile.State.FAILED for file in self.files)
        add = {
            "processed_pages": len(self.files),
            "failed_pages": failed,
            "total_pages": self.expected,
            "discovered_urls": self.expected,
            "chunks_stored": sum(result.chunks for result in stored),
            "code_examples_stored": sum(result.code_examples for result in stored),
            "word_count": sum(result.words for result in stored),
        }
        if self.files:
            self.lines.append(
                f"Read {row.processed_pages + len(self.files):,} of {plural(row.total_pages + self.expected, 'file')}"
            )
        set_ = {"current_url": self.files[-1].name} if self.files else None
        status = Status.STORING if row.status in (Status.STARTING, Status.ANALYZING) else None
        return tracker.update(row.id, row=row, status=status, add=add, set_=set_, lines=self.lines)


def end_embedded(item_ids: Sequence[int]) -> None:
    """The last vector of these sources is there: their uploads may end now, not only at the next sweep."""
    for upload in Upload.objects.filter(item__in=item_ids, progress__status=Status.EMBEDDING):
        end(upload)


def end(upload: Upload) -> None:
    """For an upload that is stored and waits for its vectors."""
    try:
        with transaction.atomic():
            row = tracker.lock(upload.progress_id)
            if row.status == Status.EMBEDDING:
                finish(upload, row)
    except ProgressEnded:
        pass


def finish(upload: Upload, row: Progress) -> None:
    """Every file was read: completed if one was stored and has its vectors, failed with the reason if none was."""
    done = row.processed_pages - row.failed_pages
    if not done:
        _fail(upload, row, _reason(upload))
        return
    if waits_for_vectors(upload.item_id, row):
        return
    removed = _remove_vanished(upload) if upload.generation else 0
    embedded = min(queue.embedded_count(upload.item_id), row.chunks_stored)
    tracker.update(row.id, row=row, status=Status.FINALIZING, set_={"embedded_chunks": embedded})
    parts = [f"Completed: {sizes(document=done, chunk=row.chunks_stored, word=row.word_count)}."]
    if row.failed_pages:
        parts.append(f"{plural(row.failed_pages, 'file')} failed.")
    if removed:
        parts.append(f"{plural(removed, 'file is', 'files are')} gone and no longer stored.")
    tracker.complete(row.id, row=row, lines=[" ".join([*parts, *missing_vectors(upload.item_id)])])


def _fail(upload: Upload, row: Progress, reason: ErrorBody) -> None:
    tracker.fail(row.id, reason, row=row)
    if not Document.objects.filter(item=upload.item_id).exists():
        delete_item(upload.item.source_id, viewer=OPERATOR)  # nothing was learned: there is no source


def _remove_vanished(upload: Upload) -> int:
    """A folder that was read again: what is no longer in it."""
    old = Document.objects.filter(item=upload.item_id, generation__lte=upload.generation)
    return remove_documents(upload.item_id, list(old.values_list("url_hash", flat=True)))


_AGAIN = "Upload it again."


def incoming(part: Part, url: str, *, code_examples: bool) -> IncomingDocument:
    return IncomingDocument(
        url=url,
        url_hash=sha256(url.encode()).hexdigest()[:32],
        title=part.title or PurePosixPath(part.name).name,
        markdown=part.markdown,
        headings=part.headings,
        code_examples=code_examples,
        content_type=part.content_type,
        fetched_at=timezone.now(),
    )


def _failed(upload: Upload, trouble: Trouble, name: str) -> UploadedFile:
    return UploadedFile(
        upload=upload,
        name=name,
        state=UploadedFile.State.FAILED,
        error_code=trouble.code,
        error_message=trouble.message,
        error_hint=trouble.hint,
    )


def _reason(upload: Upload) -> ErrorBody:
    """Why nothing could be read: what the first file says, and how many others there are."""
    failed = list(UploadedFile.objects.filter(upload=upload, state=UploadedFile.State.FAILED)[:2])
    count = UploadedFile.objects.filter(upload=upload).count()
    more = f" So it is with {count - 1} further files." if count > 1 else ""
    first = failed[0]
    return ErrorBody(code=first.error_code, message=first.error_message + more, hint=first.error_hint)
