"""`manage.py mcp-config CLIENT`: what to paste so that an assistant finds this Archon.

stdout holds the text alone, so that it can be redirected into the file; where it belongs stands on
stderr. Exit codes: 0, 2 for an unknown client.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from archon.embedded.running import running_url
from archon.mcp import PATH
from archon.mcp.clients import CLIENTS, snippet


class Command(BaseCommand):
    help = "Print the set-up of an assistant: " + ", ".join(CLIENTS) + "."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client", choices=list(CLIENTS))
        parser.add_argument("--url", default="", help="address under which the assistant reaches this Archon")
        parser.add_argument("--json", action="store_true", help="as one JSON object, with file and note")

    def handle(self, *args: Any, **options: Any) -> None:
        base = options["url"] or running_url() or settings.BASE_URL
        found = snippet(options["client"], base.rstrip("/").removesuffix(PATH) + PATH)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found), ensure_ascii=False))
            return
        if found.file:
            self.stderr.write(f"# {found.title}: {found.file}")
        self.stdout.write(found.text)
        if found.note:
            self.stderr.write(f"# {found.note}")
