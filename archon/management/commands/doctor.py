"""`manage.py doctor`: every part, and how to mend what is broken. Exit code 1 when something failed."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from archon.doctor import Finding, findings
from archon.terminal import DONE, REFUSED, TerminalCommand

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red"), "skipped": ("-", "dim")}


class Command(TerminalCommand):
    help = "Check database, Redis, channel layer, worker, browser, embedder, MCP and disk."

    def answer(self, options: dict[str, Any]) -> int:
        found: list[Finding] = []
        for finding in findings():
            found.append(finding)
            if not self.as_json:
                self._show(finding)
        failed = any(finding.status == "failed" for finding in found)
        if self.as_json:
            self.tell({"checks": [finding._asdict() for finding in found], "ok": not failed})
        return REFUSED if failed else DONE

    def _show(self, finding: Finding) -> None:
        mark, colour = MARKS[finding.status]
        took = f"{finding.milliseconds:7.0f} ms  "
        self.console.print(Text.assemble((f"{mark} {finding.name:14}", colour), (took, "dim"), finding.detail))
        if finding.fix:
            self.console.print(Text(f"  → {finding.fix}", style="bold"))
