"""`manage.py jobs`: crawls and other operations, the newest last. Exit code 0, also when there is none."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from rich.text import Text

from archon.terminal import DONE, TerminalCommand
from crawler.terminal import pace_text, pages_text, positive
from progress.messages import payload_of
from progress.models import Progress

COLOURS = {"completed": "green", "failed": "red", "cancelled": "yellow", "paused": "yellow"}


class Command(TerminalCommand):
    help = "List crawls and other operations."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--active", action="store_true", help="only those that are not over")
        parser.add_argument("--limit", type=positive, default=20, metavar="N")

    def answer(self, options: dict[str, Any]) -> int:
        rows = Progress.objects.active() if options["active"] else Progress.objects.all()
        newest = list(rows.order_by("-start_time")[: options["limit"]])[::-1]
        if self.as_json:
            self.tell({"jobs": [payload_of(row) for row in newest], "count": len(newest)})
            return DONE
        for row in newest:
            self._show(row)
        if not newest:
            self.stderr.write("No job. Crawl a site: manage.py crawl https://docs.example.com/")
        return DONE

    def _show(self, row: Progress) -> None:
        """Lines, no table: an id that a narrow window cuts cannot be copied."""
        status = (f"{row.status:10}", COLOURS.get(row.status, "cyan"))
        facts = "  ".join(filter(None, (f"{row.percentage:3}%", pages_text(row), pace_text(row))))
        self.console.print(Text.assemble((f"{row.start_time:%m-%d %H:%M}  ", "dim"), f"{row.kind:8}", status, facts))
        self.console.print(Text.assemble((f"     {row.id}  ", "dim"), row.log[:200]))
