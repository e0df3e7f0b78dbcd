"""`manage.py sources`: what was crawled, newest change first. Exit code 3 when there is none."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from rich.table import Table
from rich.text import Text

from archon.terminal import DONE, NOTHING_FOUND, TerminalCommand
from knowledge.bodies import source_body
from knowledge.listing import ItemFilter
from progress.viewer import OPERATOR


class Command(TerminalCommand):
    help = "List the sources."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("search", nargs="?", default="", help="only those whose title or URL contains this")

    def answer(self, options: dict[str, Any]) -> int:
        items = list(ItemFilter(OPERATOR, search=options["search"]).items())
        if self.as_json:
            self.tell({"sources": [source_body(item) for item in items], "count": len(items)})
        elif items:
            table = Table(box=None, header_style="dim")
            for column in ("id", "title", "url", "pages", "chunks", "status"):
                table.add_column(column, justify="right" if column in ("pages", "chunks") else "left")
            for item in items:
                counts = (str(item.document_count), str(item.chunk_count))
                table.add_row(item.source_id, Text(item.title[:60]), Text(item.url), *counts, item.status)
            self.console.print(table)
        if not items:
            self.stderr.write("No source. Crawl one: manage.py crawl https://docs.example.com/")
        return DONE if items else NOTHING_FOUND
