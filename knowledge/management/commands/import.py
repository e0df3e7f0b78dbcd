"""`manage.py import FILE`: an exported source into this knowledge base."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from knowledge import portable
from knowledge.errors import KnowledgeError
from knowledge.terminal import Refused, RefusingCommand, refusal
from knowledge.uploads import Local
from progress.models import Progress
from progress.status import Status
from progress.viewer import OPERATOR

LOOK_SECONDS = 0.2


class Command(RefusingCommand):
    help = "Take a source that `export` wrote; what is there already stays, and the same file twice changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        path = file.expanduser()
        if not path.is_file():
            raise Refused(f"{path} is no file.", "file_missing", "Name a file that `manage.py export` wrote.", "file")
        try:
            started = portable.start(Local(path, path.name), here=True, viewer=OPERATOR)
        except KnowledgeError as error:
            raise refusal(error) from None
        row = _taken(started.pk)
        for line in row.logs:
            self.stdout.write(line)
        sys.exit(0 if row.status == Status.COMPLETED else 1)


def _taken(progress_id: str) -> Progress:
    """The operation at its end. A worker of the sweep may come to help; then this one waits."""
    while True:
        portable.run(progress_id)
        row = Progress.objects.get(pk=progress_id)
        if row.ended:
            return row
        time.sleep(LOOK_SECONDS)
