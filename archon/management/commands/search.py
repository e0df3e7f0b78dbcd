"""`manage.py search WORDS`: the best passages. Exit code 3 when nothing is found."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from rich.text import Text

from archon.mcp.sources import source_named
from archon.terminal import DONE, NOTHING_FOUND, TerminalCommand
from knowledge.bodies import chunk_hit_body, page_hit_body
from knowledge.search import MAX_MATCHES, SearchHit, SearchQuery, search
from progress.viewer import OPERATOR


class Command(TerminalCommand):
    help = "Search what was crawled."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("words", nargs="+")
        parser.add_argument("--source", default="", help="only this source: id, host or title")
        parser.add_argument("--limit", type=int, default=5, choices=range(1, MAX_MATCHES + 1), metavar="N")
        parser.add_argument("--mode", default="hybrid", choices=("hybrid", "vector", "keyword"))
        parser.add_argument("--pages", action="store_true", help="the best passage of each page")
        parser.add_argument("--tag", action="append", default=[])

    def answer(self, options: dict[str, Any]) -> int:
        query = SearchQuery(
            text=" ".join(options["words"]),
            source_id=source_named(OPERATOR, options["source"]).source_id if options["source"] else None,
            tags=tuple(options["tag"]),
            match_count=options["limit"],
            return_mode="pages" if options["pages"] else "chunks",
            mode=options["mode"],
            viewer=OPERATOR,
        )
        outcome = search(query)
        if self.as_json:
            body = page_hit_body if options["pages"] else chunk_hit_body
            results = [body(hit) for hit in outcome.hits]
            told = {"search_mode": outcome.mode, "notice": outcome.notice, "weak": outcome.weak}
            self.tell({"results": results, "query": query.text, **told})
        if outcome.weak:
            self.stderr.write("No good match; the nearest passages are:")
        for hit in () if self.as_json else outcome.hits:
            self._show(hit)
        if outcome.notice:
            self.stderr.write(outcome.notice)
        if not outcome.hits:
            self.stderr.write("Nothing found. See: manage.py sources")
        return DONE if outcome.hits else NOTHING_FOUND

    def _show(self, hit: SearchHit) -> None:
        self.console.print(Text.assemble((f"{hit.score:4.2f} ", "dim"), (hit.heading_path or hit.title, "bold")))
        self.console.print(Text(f"     {hit.url}", style="cyan"))
        # One line, of the same length: the highlights are places in it.
        line = Text("     " + hit.snippet.text.replace("\n", " "))
        for start, end in hit.snippet.highlights:
            line.stylize("bold yellow", start + 5, end + 5)
        self.console.print(line)
        self.console.print()
