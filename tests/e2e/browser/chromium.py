"""Debian's Chromium, driven by Playwright, and a record of everything a page complained about."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.stack import ROOT

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
PHONE, WIDE = (360, 740), (1440, 900)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A container has no user namespace for the sandbox; the pages are our own, on loopback.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
AXE = ROOT / "archon/dashboard/node_modules/axe-core/axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

# Counts what ran that should not have, and what the content policy stopped, before any script of the page.
WATCH = """
window.__executed = []; window.__refused = [];
for (const name of ['alert', 'confirm', 'prompt', 'print'])
  window[name] = (...said) => window.__executed.push(name + said);
document.addEventListener('securitypolicyviolation',
  ({ violatedDirective, blockedURI, sample }) => window.__refused.push(`${violatedDirective} ${blockedURI} ${sample}`));
"""


def found() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def launched(executable: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A page of its own profile; `complaints` are console errors, failed scripts and refusals of the policy;
    `refused_requests` what was asked for and answered with an error, or not at all."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)
    refused_requests: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def answered(self, response: Response) -> None:
        if response.status >= 400:
            self.refused_requests.append(f"{response.status} {response.request.method} {urlsplit(response.url).path}")

    def unanswered(self, request: Request) -> None:
        # What a page no longer needs when it is left is aborted by the browser itself.
        if request.failure != "net::ERR_ABORTED":
            self.refused_requests.append(f"{request.failure} {request.method} {urlsplit(request.url).path}")

    def axe(self) -> list[str]:
        """What axe-core finds on the page as it is, in the rules of WCAG 2.0 to 2.2, A and AA."""
        # evaluate() passes the content policy, a script element would not.
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("tags => axe.run({ runOnly: tags })", WCAG)
        return [
            f"{violation['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    def sideways(self) -> int:
        """Pixels that the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def executed(self) -> list[str]:
        return list(self.page.evaluate("window.__executed"))

    def refused(self) -> list[str]:
        return list(self.page.evaluate("window.__refused"))


@contextlib.contextmanager
def visit(
    browser: Browser, address: str = "about:blank", *, theme: Theme = "light", size: tuple[int, int] = WIDE
) -> Iterator[Visit]:
    width, height = size
    options: dict[str, Any] = {"viewport": {"width": width, "height": height}, "color_scheme": theme}
    context = browser.new_context(**options, reduced_motion="reduce", locale="en-GB", timezone_id="Europe/Berlin")
    context.set_default_timeout(20_000)
    context.add_init_script(WATCH)
    page = context.new_page()
    opened = Visit(context, page)
    page.on("console", opened.hear)
    page.on("response", opened.answered)
    page.on("requestfailed", opened.unanswered)
    page.on("pageerror", lambda error: opened.complaints.append(f"pageerror: {error}"))
    try:
        if address != "about:blank":
            page.goto(address)
        yield opened
    finally:
        context.close()


def picture(page: Page, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
