"""`manage.py backup FILE`: database and keys in one file, while Archon runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from archon.backup import BackupError, back_up


class Command(BaseCommand):
    help = "Write database and keys into one file; Archon may run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["file"].resolve()
        try:
            size = back_up(target)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{target}: {size / 2**20:.1f} MB. It holds keys; keep it where only you can read it.")
