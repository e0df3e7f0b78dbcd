"""`manage.py up`: start Archon on this machine. --detach in the background, --check tells whether it runs."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from rich.console import Console

from archon.embedded.face import Face
from archon.embedded.lock import AlreadyRunning
from archon.embedded.probe import PortTaken
from archon.embedded.redis import RedisServerMissing
from archon.embedded.running import running_url
from archon.embedded.supervisor import StartFailed, Supervisor, ensure_running

DETACHED_START_SECONDS = 120.0


class Command(BaseCommand):
    help = "Start redis, worker, beat and web, and keep them running until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--detach", action="store_true", help="start in the background; `manage.py down` stops it")
        parser.add_argument("--check", action="store_true", help="only tell whether it is ready: exit status 0 or 1")
        parser.add_argument("--verbose", action="store_true", help="show what the children log")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["check"]:
                self._check()
            elif options["detach"]:
                state = ensure_running(DETACHED_START_SECONDS)
                self._say(f"Archon {'is ready' if state.started else 'was already running'}: {state.url}")
            else:
                Supervisor(Face(Console(stderr=True)), verbose=options["verbose"]).run()
        except AlreadyRunning as error:
            where = f" at {error.holder.url} (pid {error.holder.pid})" if error.holder else ""
            self._refuse(f"Archon is already running{where}, data in {settings.DATA_DIR}. Stop it with: make down")
        except (PortTaken, RedisServerMissing, StartFailed) as error:
            self._refuse(str(error))

    def _check(self) -> None:
        url = running_url()
        if url is None:
            self._refuse("Archon is not ready.")
        self._say(f"Archon is ready: {url}")

    def _say(self, text: str) -> None:
        self.stdout.write(text)

    def _refuse(self, sentence: str) -> None:
        self.stderr.write(sentence)
        sys.exit(1)
