"""Files that are handed in: kept on disk, read by a worker in a limited child, stored as one source.

The bytes lie under the data folder before the message is sent, which carries an id; what a lost message or a dead
worker leaves is taken up by `sweep`, and what nobody needs any more is removed by it.
"""

from __future__ import annotations

import logging
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import quote

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from knowledge import allowance
from knowledge.actions import get_or_create_item
from knowledge.errors import BadUpload, UnknownUpload, UploadTooLarge
from knowledge.models import Document, KnowledgeItem, Upload
from knowledge.readers.parts import Unreadable
from knowledge.readers.sniff import HEAD_BYTES, format_by_head
from progress import tracker, usage
from progress.errors import UnknownProgress
from progress.models import Progress
from progress.plural import plural
from progress.status import Status
from progress.viewer import Viewer
from progress.wire import storable

logger = logging.getLogger(__name__)

MAX_FILES = 50
NAME_CHARS = 200
WAKE_SECONDS = 10.0
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")


class Incoming(Protocol):
    """What Django's UploadedFile and Local offer alike."""

    @property
    def name(self) -> str | None: ...
    @property
    def size(self) -> int | None: ...
    def chunks(self) -> Iterable[bytes]: ...


@dataclass(frozen=True, slots=True)
class Local:
    """A file of this machine, under a name of our choice."""

    path: Path
    name: str

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def chunks(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            while chunk := file.read(2**20):
                yield chunk


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """`source_id` renews a source instead of making one: what is in it no longer is removed."""

    title: str = ""
    tags: Sequence[str] = ()
    knowledge_type: str = "technical"
    extract_code_examples: bool = True
    viewer: Viewer = field(kw_only=True)
    private: bool = False
    source_id: str = ""


def start(files: Sequence[Incoming], request: UploadRequest) -> Upload:
    """Keep the files and queue their reading. Raises UsedUp, BadUpload or UploadTooLarge that names the file, and
    BadChange that names a field; nothing is kept then."""
    if not files:
        raise BadUpload("upload_without_file", "No file was sent.", hint="Send one or more as the field `file`.")
    allowance.check(request.viewer.user_id, usage.Kind.BYTES)
    folder = uploads_folder() / uuid.uuid4().hex
    try:
        originals = _keep(files, folder)
        with transaction.atomic():
            return _create(originals, request)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def uploads_folder() -> Path:
    return Path(settings.DATA_DIR) / "uploads"


def _keep(files: Sequence[Incoming], folder: Path) -> list[dict[str, str | int]]:
    """On disk under numbers: no name that somebody chose ever becomes a path."""
    folder.mkdir(parents=True, mode=0o700)
    taken: set[str] = set()
    originals: list[dict[str, str | int]] = []
    for number, file in enumerate(files):
        name = _free_name(clean_name(file.name or ""), taken)
        size = _save(file, name, folder / str(number))
        originals.append({"name": name, "path": f"{folder.name}/{number}", "size": size})
    return originals


def _save(file: Incoming, name: str, path: Path) -> int:
    size, head = 0, b""
    with path.open("xb") as kept:
        for chunk in file.chunks():
            size += len(chunk)
            if size > settings.UPLOAD_MAX_BYTES:
                raise UploadTooLarge(name, settings.UPLOAD_MAX_BYTES)
            head = head if len(head) >= HEAD_BYTES else (head + chunk)[:HEAD_BYTES]
            kept.write(chunk)
    try:
        format_by_head(head, name)
    except Unreadable as error:
        raise BadUpload(error.code, error.message, hint=error.hint) from None
    return size


def clean_name(name: str) -> str:
    """A name to show: each step of the path without what a file name may not hold."""
    steps = [_UNSAFE.sub(" ", storable(step)).strip(" .") for step in name.replace("\\", "/").split("/")]
    kept = "/".join(step for step in steps if step)
    return kept[-NAME_CHARS:] or "file"


def _free_name(name: str, taken: set[str]) -> str:
    path, number, free = PurePosixPath(name), 1, name
    while free in taken:
        number += 1
        free = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
    taken.add(free)
    return free


def _create(originals: list[dict[str, str | int]], request: UploadRequest) -> Upload:
    first = str(originals[0]["name"])
    title = request.title or (first if len(originals) == 1 else f"{first} and {len(originals) - 1} more")
    source_id = request.source_id or f"file_{uuid.uuid4().hex[:16]}"
    item = get_or_create_item(
        source_id=source_id,
        url=f"upload://{source_id}/{quote(first) if len(originals) == 1 else ''}",
        title=title,
        source_type=KnowledgeItem.SourceType.FILE,
        knowledge_type=request.knowledge_type,
        tags=request.tags,
        update_frequency=0,
        owner_id=request.viewer.user_id,
        private=request.private and request.viewer.user_id is not None,
    )
    KnowledgeItem.objects.select_for_update().get(pk=item.pk)
    running = Upload.objects.filter(item=item, progress__in=Progress.objects.active()).first()
    if running is not None:
        raise BadUpload("upload_running", f"{item.title} is being read right now (progress id {running.progress_id}).")
    size = sum(int(original["size"]) for original in originals)
    line = f"Received {title} ({f'{size / 1024:,.0f} KiB' if size >= 1024 else plural(size, 'byte')})"
    progress = tracker.create(
        Progress.Kind.UPLOAD,
        source_id=item.source_id,
        current_url=first,
        lines=[line],
        owner_id=request.viewer.user_id,
        private=item.private,
    )
    newest = Document.objects.filter(item=item).aggregate(newest=Max("generation"))["newest"]
    upload = Upload.objects.create(
        item=item,
        progress=progress,
        originals=originals,
        extract_code_examples=request.extract_code_examples,
        generation=newest or 0,
    )
    usage.note(progress.owner_id, usage.Kind.BYTES, size)
    tracker.update(progress.id, add={"total_pages": len(originals), "discovered_urls": len(originals)})
    transaction.on_commit(partial(wake, upload))
    return upload


def upload_of(progress_id: str, viewer: Viewer) -> Upload:
    found = (
        Upload.objects.filter(viewer.seen("item__"), progress=storable(progress_id))
        .select_related("item", "progress")
        .first()
    )
    if found is None:
        raise UnknownUpload(
            f"No upload has the progress id {storable(progress_id)[:80]!r}.",
            hint=UnknownProgress.next_step,
            field="progress_id",
        )
    return found


def cancel(progress_id: str, *, viewer: Viewer) -> Upload:
    """What is stored already stays; a worker that is reading finds out within a second.
    Raises NotOwner and ProgressEnded."""
    with transaction.atomic():
        upload = upload_of(progress_id, viewer)
        viewer.must_own("The upload", upload.item.owner_id)
        row = tracker.lock(upload.progress_id)
        tracker.cancel(
            row.id, row=row, lines=[f"Cancelled: {plural(row.processed_pages, 'file is', 'files are')} kept."]
        )
    return upload


def wake(upload: Upload) -> None:
    """Ask a worker to read it. A broker that is away is no error here: the sweep asks again."""
    from kombu.exceptions import OperationalError

    from knowledge.tasks import ingest_upload

    Upload.objects.filter(pk=upload.pk).update(woken_at=timezone.now())
    try:
        ingest_upload.delay(upload.pk)
    except OperationalError as error:
        logger.warning("broker is away, upload %s waits for the sweep: %s", upload.pk, error)


def sweep() -> None:
    """Wake what nobody reads, and remove the bytes of what is over."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    from knowledge.ingest import uploaded

    for upload in Upload.objects.filter(progress__status=Status.EMBEDDING):
        uploaded.end(upload)
    waiting = Upload.objects.filter(free, progress__in=Progress.objects.active().exclude(status=Status.EMBEDDING))
    for upload in waiting.filter(woken_at__lt=now - timedelta(seconds=WAKE_SECONDS)):
        wake(upload)
    forget_finished(now - timedelta(hours=1))


def forget_finished(before: object) -> None:
    """Folders that belong to no upload that still runs; young ones may be about to get their row."""
    if not uploads_folder().is_dir():
        return
    running = Upload.objects.filter(progress__in=Progress.objects.active()).values_list("originals", flat=True)
    needed = {str(original["path"]).partition("/")[0] for originals in running for original in originals}
    for folder in uploads_folder().iterdir():
        if folder.name not in needed and folder.stat().st_mtime < before.timestamp():  # type: ignore[attr-defined]
            shutil.rmtree(folder, ignore_errors=True)


def forget(upload: Upload) -> None:
    """The bytes are no longer needed."""
    for name in {str(original["path"]).partition("/")[0] for original in upload.originals}:
        shutil.rmtree(uploads_folder() / name, ignore_errors=True)
