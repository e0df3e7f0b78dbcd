"""`manage.py mcp`: the assistants' server over stdin and stdout, for clients that start a command.

Archon itself is started in the background if it does not run; calls wait until it is ready. Logs go
to stderr. Exit code 0 when the client closes stdin.
"""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Serve coding assistants over stdio (Model Context Protocol)."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-start", action="store_true", help="do not start Archon if it is not running")

    def handle(self, *args: Any, **options: Any) -> None:
        from archon.mcp.stdio import serve

        asyncio.run(serve(start=not options["no_start"]))
