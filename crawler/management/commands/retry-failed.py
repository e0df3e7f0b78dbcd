"""`manage.py retry-failed PROGRESS_ID`: ask for the failed pages of a crawl again, and watch; as `crawl` does."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from crawler import actions
from crawler.management.commands import crawl
from progress.viewer import OPERATOR


class Command(crawl.Command):
    help = "Ask for the failed pages of a crawl again; those that were stored stay as they are."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("progress_id", help="of the crawl: `manage.py jobs` lists them")
        self.add_watching(parser)

    def begin(self, options: dict[str, Any]) -> str:
        return str(actions.retry_failed(options["progress_id"], viewer=OPERATOR).progress_id)
