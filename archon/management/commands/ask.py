"""`manage.py ask QUESTION`: an answer with its sources, streamed as it comes.

A language model writes it if one is configured; else it is put together from the best passages, and
says so. Exit code 3 when nothing that was crawled answers the question.
"""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import closing
from typing import Any

from rich.text import Text

from archon.mcp.sources import source_named
from archon.terminal import DONE, NOTHING_FOUND, TerminalCommand
from knowledge.chat.answer import EXTRACTIVE, Delta, Done, Typing, answer
from progress.viewer import OPERATOR


class Command(TerminalCommand):
    help = "Ask a question; the answer cites what was crawled."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("question", nargs="+")
        parser.add_argument("--source", default="", help="only this source: id, host or title")

    def answer(self, options: dict[str, Any]) -> int:
        question = " ".join(options["question"])
        source_id = source_named(OPERATOR, options["source"]).source_id if options["source"] else None
        with closing(answer(question, source_id=source_id, viewer=OPERATOR)) as parts:  # type: ignore[type-var]
            for part in parts:
                if isinstance(part, Done):
                    return self._done(question, part)
                if isinstance(part, Delta) and not self.as_json:
                    self.stdout.write(part.text, ending="")
                    self.stdout.flush()
                elif isinstance(part, Typing) and part.note:
                    self.stderr.write(part.note)
        raise AssertionError("an answer ends with Done")

    def _done(self, question: str, done: Done) -> int:
        if self.as_json:
            told = {"answer": done.text, "citations": list(done.citations), "model": done.model}
            self.tell({"question": question, **told})
        else:
            self.stdout.write("\n")
            for citation in done.citations:
                place = citation["heading_path"] or citation["title"]
                number, address = (f"[{citation['n']}] ", "bold"), (citation["url"], "cyan")
                self.console.print(Text.assemble(number, f"{place}  ", address))
            if done.model == EXTRACTIVE:
                self.stderr.write("Put together from the passages: no language model is configured.")
        return DONE if done.citations else NOTHING_FOUND
