"""What the commands say of a refusal, and how they name themselves."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from knowledge.errors import KnowledgeError

# REST hints name endpoints; a person at a terminal has commands.
HINTS = {
    "source_unknown": "`manage.py sources` lists the sources.",
    "crawl_unknown": "`manage.py jobs` lists the crawls.",
    "progress_unknown": "`manage.py jobs` lists the operations.",
    "upload_unknown": "`manage.py jobs` lists the uploads.",
}


def command_hint(code: str, hint: str) -> str:
    return HINTS.get(code, hint)


def pasted(command: str) -> str:
    """A command of `manage.py` as it works when it is pasted in the folder of it."""
    python = Path(sys.executable)
    inside = python.is_relative_to(settings.BASE_DIR)
    return f"{python.relative_to(settings.BASE_DIR) if inside else python} manage.py {command}"


class Refused(CommandError):
    """What REST would say of it: a code, a sentence, the next step, the input at fault."""

    def __init__(self, error: str, code: str, hint: str = "", field: str | None = None) -> None:
        super().__init__(f"{error} {hint}".rstrip())
        self.detail = {"error": error, "code": code, "hint": hint, "field": field}


def refusal(error: KnowledgeError) -> Refused:
    return Refused(error.message, error.code, command_hint(error.code, error.hint), error.field)


class RefusingCommand(BaseCommand):
    """Tells a refusal to a pipe, or with --json, as one JSON object on stdout; to a person on stderr alone."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="a refusal as JSON, as when the output is piped")

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except Refused as refused:
            if options.get("json") or not self.stdout.isatty():
                self.stdout.write(json.dumps({"detail": refused.detail}, ensure_ascii=False))
            raise
