"""`manage.py crawl URL`: start a crawl and watch it to its end. Exit code 0, 1 on failure, 130 on Ctrl-C.

With `--preview` nothing is started nor stored: it tells what the crawl would begin with.

A person sees it run; a pipe, or `--json`, gets the final state as one JSON object, and the rest on stderr.
"""

from __future__ import annotations

import json
import shlex
import sys
from argparse import ArgumentParser
from typing import Any, NoReturn

from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string
from rich.console import Console

from crawler import actions
from crawler.actions import CrawlRequest
from crawler.errors import CrawlerError, WrongState
from crawler.models import CrawlJob
from crawler.terminal import CrawlBar, follow, positive, show_preview, show_summary
from knowledge.terminal import command_hint, pasted
from progress.messages import snapshot
from progress.models import Progress
from progress.plural import plural
from progress.status import Status
from progress.viewer import OPERATOR
from progress.wire import to_wire

INTERRUPTED = 130
# By name, since the embedded runtime stands above this app.
ENSURE_RUNNING = "archon.embedded.supervisor.ensure_running"


class Command(BaseCommand):
    help = "Crawl a documentation site into the knowledge base and show it live."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("url", help="address to start from, http or https")
        parser.add_argument("--max-depth", type=int, default=2, choices=range(1, 6), help="links away from the start")
        parser.add_argument("--max-pages", type=positive, default=0, metavar="N", help="stop after so many pages")
        parser.add_argument("--scope", choices=("path", "host", "domain"), default="path")
        parser.add_argument("--include", action="append", default=[], metavar="GLOB")
        parser.add_argument("--exclude", action="append", default=[], metavar="GLOB")
        parser.add_argument("--tag", action="append", default=[])
        parser.add_argument("--ignore-robots", action="store_true", help="for a site of your own")
        parser.add_argument("--preview", action="store_true", help="tell what it would begin with, and start nothing")
        self.add_watching(parser)

    def add_watching(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="the final state as JSON, as when the output is piped")
        parser.add_argument("--no-start", action="store_true", help="do not start Archon if it is not running")

    def handle(self, *args: Any, **options: Any) -> None:
        as_json = options["json"] or not self.stdout.isatty()
        console = Console(stderr=as_json)
        if options.get("preview"):
            return self._preview(options, as_json=as_json)
        if not options["no_start"]:
            import_string(ENSURE_RUNNING)(timeout=120)
        try:
            progress_id = self.begin(options)
        except CrawlerError as error:
            self._refused(error, as_json=as_json, console=console)
        row = self._watch(progress_id, console, as_json=as_json)
        job = CrawlJob.objects.select_related("item").get(progress=row)
        if as_json:
            self.stdout.write(json.dumps(to_wire(snapshot(row)), ensure_ascii=False))
        else:
            show_summary(console, job, row)
            if row.failed_pages:
                line = pasted(f"retry-failed {row.pk}")
                console.print(f"\n  Ask for the failed pages again:  {line}", highlight=False, soft_wrap=True)
            if row.status == Status.COMPLETED:
                console.print(f"\n  Search it:  {search_line(job)}", highlight=False, soft_wrap=True)
        sys.exit(0 if row.status == Status.COMPLETED else 1)

    def _preview(self, options: dict[str, Any], *, as_json: bool) -> None:
        from crawler.api import preview_out  # the libraries of REST
        from crawler.preview import preview

        try:
            found = preview_out(preview(request_of(options)))
        except CrawlerError as error:
            self._refused(error, as_json=as_json, console=Console(stderr=as_json))
        if as_json:
            self.stdout.write(json.dumps(to_wire(found.model_dump()), ensure_ascii=False))
        else:
            show_preview(Console(), found)

    def begin(self, options: dict[str, Any]) -> str:
        """The progress id of what is watched from now on. Raises CrawlerError."""
        return actions.start(request_of(options)).progress_id

    def _watch(self, progress_id: str, console: Console, *, as_json: bool) -> Progress:
        try:
            return CrawlBar(console).watch(follow(progress_id))
        except KeyboardInterrupt:
            try:
                actions.cancel(progress_id, viewer=OPERATOR)
            except WrongState:  # it ended in this very moment
                return Progress.objects.get(pk=progress_id)
            row = Progress.objects.get(pk=progress_id)
            console.print(
                f"[yellow]■ cancelled[/], {plural(row.processed_pages, 'page is', 'pages are')} kept", highlight=False
            )
            if as_json:
                self.stdout.write(json.dumps(to_wire(snapshot(row)), ensure_ascii=False))
            sys.exit(INTERRUPTED)

    def _refused(self, error: CrawlerError, *, as_json: bool, console: Console) -> NoReturn:
        hint = command_hint(error.code, error.hint)
        if as_json:
            detail = {"error": error.message, "code": error.code, "hint": hint, "field": error.field}
            self.stdout.write(json.dumps({"detail": detail}, ensure_ascii=False))
        console.print(f"[red]✗ {error.code}[/]: {error.message}", highlight=False, soft_wrap=True)
        if hint:
            console.print(f"  {hint}", highlight=False, soft_wrap=True)
        sys.exit(1)


def request_of(options: dict[str, Any]) -> CrawlRequest:
    return CrawlRequest(
        url=options["url"],
        tags=tuple(options["tag"]) or None,
        max_depth=options["max_depth"],
        max_pages=options["max_pages"],
        include=tuple(options["include"]),
        exclude=tuple(options["exclude"]),
        scope=options["scope"],
        respect_robots=not options["ignore_robots"],
        viewer=OPERATOR,
    )


def search_line(job: CrawlJob) -> str:
    """A command that finds something in what was just stored."""
    word = max(job.item.title.split() or ["install"], key=len)
    return pasted(f"search {shlex.quote(word)} --source {job.item.source_id}")
