"""What the commands have in common: rich text for a person, JSON for a pipe, exit codes.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 nothing was found, 130 Ctrl-C. Data goes to
stdout; errors and hints go to stderr, in JSON to stdout too, as REST tells them.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import IO, Any, cast

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from rich.console import Console

from crawler.errors import CrawlerError
from knowledge.errors import KnowledgeError
from knowledge.terminal import command_hint
from progress import disk
from progress.errors import ProgressError
from progress.wire import to_wire

DONE, REFUSED, NOTHING_FOUND, INTERRUPTED = 0, 1, 3, 130


class TerminalCommand(BaseCommand):
    """Subclasses add `arguments` and `answer`, which returns the exit code."""

    requires_system_checks = ()
    as_json = False
    console: Console

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="JSON, as when the output is piped")
        self.arguments(parser)

    def arguments(self, parser: ArgumentParser) -> None:
        pass

    def answer(self, options: dict[str, Any]) -> int:
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json = options["json"] or not self.stdout.isatty()
        self.console = Console(file=cast(IO[str], self.stdout), soft_wrap=True, highlight=False)
        try:
            code = self.answer(options)
        except (CrawlerError, KnowledgeError, ProgressError) as error:
            code = self.refuse(error.message, error.code, command_hint(error.code, error.hint), error.field)
        except DatabaseError as error:
            code = self._database_refused(error)
        except KeyboardInterrupt:
            code = INTERRUPTED
        if code:
            sys.exit(code)

    def _database_refused(self, error: DatabaseError) -> int:
        if disk.is_full(error):
            return self.refuse(disk.FULL["message"], disk.FULL["code"], disk.FULL["hint"])
        if is_empty():
            hint = "Start it: make up. Or crawl a site at once: make crawl URL=https://docs.example.com/"
            return self.refuse("Archon was never started here: its database is empty.", "not_started", hint)
        kind = type(error).__name__
        return self.refuse(f"The database does not answer ({kind}).", "database_failed", "See: manage.py doctor")

    def refuse(self, error: str, code: str, hint: str, field: str | None = None) -> int:
        if self.as_json:
            self.tell({"detail": {"error": error, "code": code, "hint": hint, "field": field}})
        self.stderr.write(f"{code}: {error} {hint}".rstrip())
        return REFUSED

    def tell(self, body: object) -> None:
        """One JSON value, one line."""
        self.stdout.write(json.dumps(to_wire(body), ensure_ascii=False))
        self.stdout.flush()


def is_empty() -> bool:
    """Whether the database answers and holds nothing; not known, when it does not answer."""
    try:
        return not connection.introspection.table_names()
    except DatabaseError:
        return False
