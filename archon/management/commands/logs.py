"""`manage.py logs [--follow]`: what assistants called, one line each; in JSON the objects of the live stream."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from time import sleep
from typing import Any

from rich.text import Text

from archon.terminal import DONE, TerminalCommand
from crawler.terminal import positive
from progress import logs
from progress.models import LogRecord

LOOK_SECONDS = 0.25
COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


class Command(TerminalCommand):
    help = "Show the log of assistants' calls."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=positive, default=50, metavar="N", help="records before now")
        parser.add_argument("--follow", "-f", action="store_true", help="go on with new records until Ctrl-C")

    def answer(self, options: dict[str, Any]) -> int:
        last = logs.latest_id()
        self._show(logs.newest(options["limit"]))
        while options["follow"]:
            newer = list(LogRecord.objects.filter(pk__gt=last).order_by("pk")[: logs.RECORDS_PER_READ])
            self._show(newer)
            last = newer[-1].pk if newer else last
            sleep(LOOK_SECONDS)
        return DONE

    def _show(self, records: Iterable[LogRecord]) -> None:
        for record in records:
            if self.as_json:
                self.tell(logs.body_of(record))
                continue
            told = record.metadata
            seconds = told.get("execution_time")
            took = "" if seconds is None else f"{1_000 * seconds:7.1f} ms"
            found = "" if told.get("result_count") is None else f", {told['result_count']} found"
            self.console.print(
                Text.assemble(
                    (f"{record.timestamp:%H:%M:%S} ", "dim"),
                    (f"{record.level:7} ", COLOURS.get(record.level, "green")),
                    (f"{took:11} ", "cyan"),
                    (f"{told.get('client_id', record.logger)} ", "dim"),
                    record.message + found,
                )
            )
