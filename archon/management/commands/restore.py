"""`manage.py restore FILE`: put a backup in the place of the database, while Archon is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from archon.backup import BackupError, restore
from archon.embedded import lock
from archon.embedded.running import LOCK


class Command(BaseCommand):
    help = "Put a backup in the place of the database. Stop Archon first."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="Also when there is a database; it is kept beside.")

    def handle(self, *args: Any, **options: Any) -> None:
        if lock.holder(LOCK) is not None:
            raise CommandError("Archon is running: stop it first with make down.")
        try:
            about = restore(options["file"], replace=options["replace"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        call_command("migrate", verbosity=0, interactive=False)
        self.stdout.write(f"Restored what was backed up at {about['created_at']}.")
