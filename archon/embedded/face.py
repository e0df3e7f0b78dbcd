"""What the terminal shows while Archon starts, runs and stops: one line per event, no screen of its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.markup import escape

NAME_WIDTH = 9


class Face:
    def __init__(self, console: Console) -> None:
        self._console = console

    def up(self, name: str, detail: str = "") -> None:
        self._say(f"[green]✓[/] {name:<{NAME_WIDTH}} [dim]{escape(detail)}[/]")

    def lost(self, name: str, how: str) -> None:
        self._say(f"[yellow]![/] {name:<{NAME_WIDTH}} {escape(how)}")

    def failing(self, name: str, log: Path, lines: Iterable[str]) -> None:
        self._say(f"[red]✗[/] {name:<{NAME_WIDTH}} keeps failing; the last lines of {escape(str(log))}:")
        for line in lines:
            self._say(f"    [dim]{escape(line)}[/]")

    def ready(self, url: str, seconds: float, logs: Path) -> None:
        self._say(f"\n[bold green]Archon is ready:[/] [bold]{url}[/]  [dim]({seconds:.1f} s)[/]")
        for title, path in (("Dashboard", "/"), ("API docs", "/api/docs"), ("Admin", "/admin/")):
            self._say(f"  {title:<{NAME_WIDTH}} {url}{path}")
        self._say(f"  {'Logs':<{NAME_WIDTH}} {escape(str(logs))}")
        self._say("[dim]Ctrl-C stops it.[/]\n")

    def stopping(self) -> None:
        self._say("\nStopping ...")

    def stopped(self, name: str) -> None:
        self._say(f"[dim]■ {name}[/]")

    def child_line(self, name: str, line: str) -> None:
        self._say(f"[dim]{name:<{NAME_WIDTH}}|[/] {escape(line)}")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)
