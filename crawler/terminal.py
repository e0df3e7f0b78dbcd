"""A crawl as a person at a terminal sees it: a live bar, log lines that matter, a summary."""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from crawler import hosts
from crawler.models import CrawlJob, CrawlUrl
from progress import models
from progress.plural import plural, sizes
from progress.status import Status

if TYPE_CHECKING:
    from crawler.schemas import CrawlPreview

LOOKS_PER_SECOND = 5
FAILURES_SHOWN = 10
ADDRESSES_SHOWN = 30
URL_CHARS = 60


def follow(progress_id: str) -> Iterator[models.Progress]:
    """The row, looked at a few times a second, until the crawl is over; the last one is terminal."""
    while True:
        row = models.Progress.objects.get(pk=progress_id)
        yield row
        if row.ended:
            return
        time.sleep(1 / LOOKS_PER_SECOND)


class CrawlBar:
    """Draws rows as they come; on something that is no terminal it prints a line per change instead."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.fields[status]}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[pages]}"),
            TextColumn("[dim]{task.fields[pace]}"),
            console=console,
        )
        self.task = self.bar.add_task("crawl", total=100, status="queued", pages="", pace="")
        self.printed = ""

    def watch(self, rows: Iterator[models.Progress]) -> models.Progress:
        last: models.Progress | None = None
        with Live(console=self.console, refresh_per_second=LOOKS_PER_SECOND, transient=True) as live:
            for row in rows:
                last = row
                if self.console.is_terminal:
                    live.update(self._drawn(row))
                elif row.log != self.printed:
                    self.printed = row.log
                    self.console.print(f"{row.percentage:3}% {row.log}", highlight=False)
        assert last is not None
        return last

    def _drawn(self, row: models.Progress) -> Table:
        self.bar.update(
            self.task, completed=row.percentage, status=row.status, pages=pages_text(row), pace=pace_text(row)
        )
        grid = Table.grid()
        grid.add_row(self.bar)
        grid.add_row(Text(f"  {shortened(row.current_url)}", style="dim", overflow="ellipsis", no_wrap=True))
        return grid


def pages_text(row: models.Progress) -> str:
    failed = f", {row.failed_pages} failed" if row.failed_pages else ""
    return f"{row.processed_pages:,}/{plural(row.total_pages, 'page')}{failed}"


def pace_text(row: models.Progress) -> str:
    if row.ended:
        return ""
    pace = f"{row.pages_per_second:.1f} pages/s" if row.pages_per_second else ""
    if row.eta_seconds is not None:
        return f"{pace}, {row.eta_seconds:.0f} s left"
    return f"{pace}, end unknown while discovering" if pace else "discovering"


def shortened(url: str) -> str:
    return url if len(url) <= URL_CHARS else f"{url[: URL_CHARS // 2]}…{url[-URL_CHARS // 2 :]}"


def show_summary(console: Console, job: CrawlJob, row: models.Progress) -> None:
    """What was stored, what failed and why, and what to do next."""
    seconds = ((row.completed_at or row.updated_at) - row.start_time).total_seconds()
    mark = {Status.COMPLETED: "[green]✓", Status.FAILED: "[red]✗"}.get(Status(row.status), "[yellow]■")
    console.print(f"{mark} {row.status}[/] {job.url} in {seconds:.1f} s", highlight=False)
    console.print(f"  {pages_text(row)}, {sizes(chunk=row.chunks_stored, word=row.word_count)}", highlight=False)
    if row.error:
        console.print(f"  [red]{row.error['code']}[/]: {row.error['message']}", highlight=False, soft_wrap=True)
        if row.error.get("hint"):
            console.print(f"  {row.error['hint']}", highlight=False, soft_wrap=True)
    show_unread_robots(console, job)
    show_failures(console, job)


def show_preview(console: Console, found: CrawlPreview) -> None:
    """What the address is, what speaks against the crawl, and the verdict on each address."""
    taken, seen = found.counts["crawl"], found.counts["crawl"] + found.counts["skip"]
    found_so_far = f"{taken:,} of {plural(seen, 'address', 'addresses')} found so far would be crawled"
    console.print(f"{found.seed} ({found.kind}): {found_so_far}", highlight=False, soft_wrap=True)
    for warning in found.warnings:
        console.print(f"  [yellow]! {escape(warning)}[/]", highlight=False, soft_wrap=True)
    for note in found.notes:
        console.print(f"  {escape(note)}", highlight=False, soft_wrap=True)
    for page in found.pages[:ADDRESSES_SHOWN]:
        verdict = "[green]crawl[/]" if page.verdict == "crawl" else f"[dim]skip ({page.reason})[/]"
        console.print(f"  {verdict} {escape(page.url)}", highlight=False, soft_wrap=True)
    if seen > ADDRESSES_SHOWN:
        console.print(f"  and {seen - ADDRESSES_SHOWN:,} more; --json lists a thousand", highlight=False)


def show_unread_robots(console: Console, job: CrawlJob) -> None:
    """Once per host, whose pages have all failed of it."""
    for trouble in hosts.troubles(job)[:FAILURES_SHOWN]:
        console.print(f"  [yellow]{escape(trouble)}[/]", highlight=False, soft_wrap=True)


def show_failures(console: Console, job: CrawlJob) -> None:
    failed = CrawlUrl.objects.filter(job=job, state=CrawlUrl.State.FAILED).order_by("depth", "id")
    for url in failed[:FAILURES_SHOWN]:
        console.print(f"  [red]failed[/] {url.error_message}", highlight=False, soft_wrap=True)
    more = failed.count() - FAILURES_SHOWN
    if more > 0:
        console.print(f"  and {more} more", highlight=False)


def positive(text: str) -> int:
    """The type of a count on the command line."""
    number = int(text) if text.strip().isdecimal() else 0
    if number < 1:
        raise ArgumentTypeError(f"{text} is not a whole number from 1 on")
    return number
