"""`manage.py restore FILE`: put a backup in the place of the database, while Archon is stopped."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command

from archon.backup import BackupError, restore
from archon.embedded import lock
from archon.embedded.running import LOCK
from knowledge.terminal import Refused, RefusingCommand


class Command(RefusingCommand):
    help = "Put a backup in the place of the database. Stop Archon first."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="Also when there is a database; it is kept beside.")

    def handle(self, *args: Any, **options: Any) -> None:
        if lock.holder(LOCK) is not None:
            raise Refused("Archon is running.", "archon_running", "Stop it first: make down.")
        try:
            about = restore(options["file"], replace=options["replace"])
        except BackupError as error:
            raise Refused(str(error), "restore_failed", field="file") from error
        call_command("migrate", verbosity=0, interactive=False)
        self.stdout.write(f"Restored what was backed up at {about['created_at']}.")
