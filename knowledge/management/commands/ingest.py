"""`manage.py ingest PATH...`: files, folders and zip archives of this machine into the knowledge base.

Only here, at the operator's own shell: over the API a path would open the server's disk to whoever may write.
A person sees it run; a pipe, or `--json`, gets the final state as one JSON object, and the rest on stderr.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import OutputWrapper

from knowledge import uploads
from knowledge.errors import KnowledgeError
from knowledge.models import UploadedFile
from knowledge.readers.sniff import EXTENSIONS, extension_of
from knowledge.terminal import Refused, RefusingCommand, refusal
from knowledge.uploads import Local, UploadRequest
from progress.messages import snapshot
from progress.models import Progress
from progress.plural import plural
from progress.status import Status
from progress.viewer import OPERATOR
from progress.wire import to_wire

MAX_FOLDER_FILES = 10_000
LOOK_SECONDS = 0.2
SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__"})


class Command(RefusingCommand):
    help = "Read local files, folders or zip archives into the knowledge base; the same path again renews its source."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a file, a folder or a zip archive")
        parser.add_argument("--title", default="", help="name of the source; the path's own otherwise")
        parser.add_argument("--tag", action="append", default=[])
        parser.add_argument("--knowledge-type", default="technical")
        parser.add_argument("--here", action="store_true", help="read it in this process instead of on a worker")
        parser.add_argument("--json", action="store_true", help="the final state as JSON, as when the output is piped")

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        path = path.expanduser().resolve()
        if not path.exists():
            raise Refused(f"{path} does not exist.", "file_missing", "Name a file, a folder or a zip archive.", "path")
        files, left_out = documents_of(path)
        if not files:
            kinds = f"These are read: {', '.join(sorted(EXTENSIONS))}."
            raise Refused(f"{path} holds no document.", "file_unsupported", kinds, "path")
        request = UploadRequest(
            title=options["title"] or path.name,
            tags=options["tag"],
            knowledge_type=options["knowledge_type"],
            source_id=source_id_of(path),
            viewer=OPERATOR,
        )
        try:
            upload = uploads.start(files, request)
        except KnowledgeError as error:
            raise refusal(error) from None
        if options["here"]:
            from knowledge.ingest import uploaded

            uploaded.run(upload.pk)
        as_json = options["json"] or not self.stdout.isatty()
        told = self.stderr if as_json else self.stdout
        if left_out:
            told.write(f"Left out: {plural(left_out, 'file')}, empty or of other kinds", str)
        row = self._watched(upload.progress_id, told)
        for file in UploadedFile.objects.filter(upload__progress=row, state=UploadedFile.State.FAILED):
            told.write(f"failed {file.name}: {file.error_message} {file.error_hint}", str)
        if as_json:
            self.stdout.write(json.dumps(to_wire(snapshot(row)), ensure_ascii=False))
        sys.exit(0 if row.status == Status.COMPLETED else 1)

    def _watched(self, progress_id: str, told: OutputWrapper) -> Progress:
        last = ""
        while True:
            row = Progress.objects.get(pk=progress_id)
            if row.log != last:
                last = row.log
                told.write(f"{row.percentage:3}% {last}", str)
            if row.ended:
                return row
            time.sleep(LOOK_SECONDS)


def source_id_of(path: Path) -> str:
    """The same path is the same source."""
    return f"file_{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"


def documents_of(path: Path) -> tuple[list[Local], int]:
    """The file itself, or every document below the folder in a steady order, and how many other files there are.
    Links and hidden names are neither."""
    if path.is_file():
        return [Local(path, path.name)], 0
    files: list[Local] = []
    left_out = 0
    for file in _files_below(path):
        readable = extension_of(file.name) in EXTENSIONS - {"zip"} or file.name.upper() == "README"
        if not readable or not file.stat().st_size:
            left_out += 1
            continue
        files.append(Local(file, file.relative_to(path).as_posix()))
        if len(files) > MAX_FOLDER_FILES:
            raise Refused(
                f"{path} holds more than {MAX_FOLDER_FILES:,} documents.",
                "upload_too_many",
                "Give a folder within it.",
                "path",
            )
    return files, left_out


def _files_below(path: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(path, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED_FOLDERS)
        for name in sorted(names):
            file = Path(place) / name
            if not name.startswith(".") and not file.is_symlink():
                yield file
