"""`manage.py backup FILE`: database and keys in one file, while Archon runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from archon.backup import BackupError, back_up
from knowledge.terminal import Refused, RefusingCommand


class Command(RefusingCommand):
    help = "Write database and keys into one file; Archon may run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["file"].resolve()
        try:
            size = back_up(target)
        except (BackupError, OSError) as error:
            raise Refused(str(error), "backup_failed", field="file") from error
        self.stdout.write(f"{target}: {size / 2**20:.1f} MB. It holds keys; keep it where only you can read it.")
