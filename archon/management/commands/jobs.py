"""`manage.py jobs`: crawls and other operations, the newest last. Exit code 0, also when there is none."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from rich.table import Table
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
        table = Table(box=None, header_style="dim")
        for column in ("started", "kind", "status", "", "pages", "pace", "id", "last line"):
            table.add_column(column, justify="right" if column == "" else "left", no_wrap=column == "id")
        for row in newest:
            status = Text(row.status, style=COLOURS.get(row.status, "cyan"))
            cells = (f"{row.percentage}%", pages_text(row), pace_text(row), row.id)
            table.add_row(f"{row.start_time:%m-%d %H:%M}", row.kind, status, *cells, Text(row.log[:80]))
        self.console.print(table)
        return DONE
