"""`manage.py sources`: what was crawled, newest change first. Exit code 3 when there is none."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from rich.text import Text

from archon.terminal import DONE, NOTHING_FOUND, TerminalCommand
from knowledge.bodies import source_body
from knowledge.failing import failures_of
from knowledge.listing import ItemFilter, status_of
from knowledge.messages import SourceFailure
from knowledge.models import KnowledgeItem
from progress.plural import sizes
from progress.viewer import OPERATOR


class Command(TerminalCommand):
    help = "List the sources."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("search", nargs="?", default="", help="only those whose title or URL contains this")

    def answer(self, options: dict[str, Any]) -> int:
        items = list(ItemFilter(OPERATOR, search=options["search"]).items())
        failures = failures_of(items)
        if self.as_json:
            self.tell({"sources": [source_body(item, failures) for item in items], "count": len(items)})
        elif items:
            for item in items:
                self._show(item, failures.get(item.source_id))
        if not items:
            unlike = f" has {options['search']!r} in its title or URL" if options["search"] else ""
            self.stderr.write(f"No source{unlike}. Crawl one: manage.py crawl https://docs.example.com/")
        return DONE if items else NOTHING_FOUND

    def _show(self, item: KnowledgeItem, failure: SourceFailure | None) -> None:
        """Lines, no table: an id that a narrow window cuts cannot be copied."""
        counts = f"{sizes(page=item.document_count, chunk=item.chunk_count)}, {status_of(item, failure)}"
        self.console.print(Text.assemble((item.title[:100], "bold"), f"  {counts}"))
        self.console.print(Text.assemble((f"     {item.source_id}  ", "dim"), (item.url, "cyan")))
        if failure:
            self.console.print(Text.assemble(("     failed ", "red"), f"{failure['message']} {failure['hint']}"))
