"""`manage.py down`: stop the Archon of this data folder, also one that runs in the background."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from archon.embedded.supervisor import StartFailed, stop_running


class Command(BaseCommand):
    help = "Stop the Archon that `up` started."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            stopped = stop_running()
        except StartFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Archon is stopped." if stopped else "Archon was not running.")
