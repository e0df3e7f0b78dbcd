"""Pages by a real Chromium: what their scripts make of them, what they try to do, and what is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import web

from crawler.browser import Browser, BrowserSettings
from crawler.chromium import PROFILE_PREFIX, Chromium, find_chromium
from crawler.devtools import DevToolsSocket
from crawler.errors import BrowserMissing, FetchError, ForbiddenAddress
from crawler.fetcher import Fetcher, FetchSettings, Page
from crawler.guard import Guard, GuardPolicy
from progress.loop import submit
from tests.site import Answer, LocalSite

PROGRAM = find_chromium("")
pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="NO CHROMIUM ON PATH: nothing of browser mode was tested here"),
    pytest.mark.xdist_group("chromium"),
]
AFTER = "<p>" + "after it " * 50
FILL = "fetch('/data').then(r => r.text()).then(t => {document.getElementById('root').innerHTML = t})"
ROUTES: dict[str, Any] = {
    "/app": f"<title>App</title><div id=root></div><script>{FILL}</script>",
    "/data": "<h1>Filled</h1><a href='/next'>next</a><p>" + "word " * 100,
    "/static": "<h1>Static</h1>" + "<p>Said without a script.</p>" * 20 + "<script>document.title='x'</script>",
    "/moves": "<script>location = '/app'</script>",
    "/loop": "<script>for (;;) {}</script>",
    "/late-loop": "<h1>Late</h1><script>setTimeout(() => {for (;;) {}}, 100)</script>",
    "/alerts": f"<h1>Alerts</h1><script>for (let i = 0; i < 9; i++) {{alert(i); confirm(i)}}</script>{AFTER}",
    "/popups": f"<h1>Popups</h1><script>for (let i = 0; i < 20; i++) open('/popup' + i)</script>{AFTER}",
    "/downloads": f"<h1>Load</h1><a id=a href=/file.zip download>x</a><script>a.click()</script>{AFTER}",
    "/file.zip": Answer(b"PK\3\4" + b"0" * 1000, content_type="application/zip"),
    "/text": Answer("plain text " * 50, content_type="text/plain"),
    "/gone": Answer("<h1>Gone</h1>", 410),
    "/remembers": "<h1 id=h></h1><script>h.textContent = `${document.cookie}|${localStorage.x}|`;"
    f"document.cookie = 'x=1'; localStorage.x = 1</script>{AFTER}",
    "/greedy": "<script>const kept = []; setInterval(() => {for (let i = 0; i < 40; i++) {"
    "const part = new Uint8Array(8e6); part.fill(i + 1); kept.push(part)}}, 1)</script>",
    "/loads": "<h1>Loads</h1><script>for (let i = 0; i < 8; i++) fetch('/megabyte?' + i)</script>",
    "/megabyte": Answer(b"x" * 2**20, content_type="text/plain"),
}


@pytest.fixture(scope="module")
def site() -> Iterator[LocalSite]:
    with LocalSite(ROUTES) as site:
        site.routes["/redirects-out"] = Answer("", 302, {"Location": f"http://127.0.0.2:{site.port}/static"})
        site.routes["/moves-out"] = f"<script>location = 'http://127.0.0.2:{site.port}/static'</script>"
        yield site


def settings_of(program: str | None = PROGRAM, **changes: Any) -> BrowserSettings:
    chosen = {"page_seconds": 20, "settle_seconds": 3, "tabs": 1, "traffic_bytes": 4 * 2**20, **changes}
    return BrowserSettings("Archon/0.1", program or "", **chosen)


def fetcher_of(site: LocalSite, folder: Path, browser: BrowserSettings | None) -> Fetcher:
    guard = Guard(GuardPolicy(allow_private=(f"127.0.0.1:{site.port}",)))
    return Fetcher(FetchSettings("Archon/0.1", work_dir=str(folder)), guard, browser)


@pytest.fixture(scope="module")
def fetcher(site: LocalSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fetcher]:
    """One browser for the whole module: tests that wear one out make their own."""
    fetcher = fetcher_of(site, tmp_path_factory.mktemp("crawl4ai"), settings_of())
    yield fetcher
    submit(fetcher.close()).result(30)


@pytest.fixture
async def own_browser(site: LocalSite, tmp_path: Path) -> AsyncIterator[Any]:
    """A function that makes fetchers; what they started ends with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(**changes: Any) -> Fetcher:
            made = fetcher_of(site, tmp_path, settings_of(**changes))
            stack.push_async_callback(made.close)
            return made

        yield make


def get(fetcher: Fetcher, url: str, render: str = "browser") -> Page:
    return submit(fetcher.fetch(url, render=render)).result(60)


def browser_of(fetcher: Fetcher) -> Browser:
    assert fetcher._browser is not None
    return fetcher._browser


def tree(pid: int | None) -> list[psutil.Process]:
    assert pid is not None
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def renderers(pid: int | None) -> list[psutil.Process]:
    found = []
    for process in tree(pid):
        with contextlib.suppress(psutil.Error):
            if "--type=renderer" in process.cmdline():
                found.append(process)
    return found


def all_gone(processes: list[psutil.Process], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while any(_lives(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _lives(process: psutil.Process) -> bool:
    """A zombie is dead; that nobody has fetched its status yet is another's affair."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


# ---- What comes of it ---------------------------------------------------------------------


def test_a_page_that_needs_its_scripts_gets_its_text_and_no_other_page_a_browser(
    site: LocalSite, fetcher: Fetcher
) -> None:
    static = get(fetcher, f"{site.url}/static", "auto")
    assert (static.rendered, static.text) == (False, ROUTES["/static"])
    assert fetcher._browser is None
    page = get(fetcher, f"{site.url}/app", "auto")
    assert page.rendered
    assert (page.status, page.content_type, page.note) == (200, "text/html", "")
    assert "<h1>Filled</h1>" in page.text
    assert "etag" not in page.headers  # the shell's, which says nothing about what it shows
    assert get(fetcher, f"{site.url}/app", "http").text == ROUTES["/app"]


def test_the_browser_says_who_it_is(site: LocalSite, fetcher: Fetcher) -> None:
    site.forget()
    get(fetcher, f"{site.url}/app")
    assert {seen.headers["user-agent"] for seen in site.requests} == {"Archon/0.1"}
    assert not any("proxy-authorization" in seen.headers for seen in site.requests)


def test_a_page_that_moves_on_by_script_is_the_page_where_it_ends(site: LocalSite, fetcher: Fetcher) -> None:
    page = get(fetcher, f"{site.url}/moves")
    assert (page.url, page.final_url) == (f"{site.url}/moves", f"{site.url}/app")
    assert "Filled" in page.text


def test_what_is_no_html_page_comes_over_http(site: LocalSite, fetcher: Fetcher) -> None:
    page = get(fetcher, f"{site.url}/text")
    assert (page.rendered, page.content_type) == (False, "text/plain")
    with pytest.raises(FetchError) as refused:
        get(fetcher, f"{site.url}/file.zip")
    assert refused.value.code == "unsupported_type"


def test_a_status_of_the_site_is_that_of_the_page(site: LocalSite, fetcher: Fetcher) -> None:
    with pytest.raises(FetchError) as gone:
        get(fetcher, f"{site.url}/gone")
    assert (gone.value.code, gone.value.status) == ("http_status", 410)


def test_no_page_finds_what_another_left(site: LocalSite, fetcher: Fetcher) -> None:
    for _ in range(2):
        assert '<h1 id="h">|undefined|</h1>' in get(fetcher, f"{site.url}/remembers").text


# ---- Pages that misbehave -----------------------------------------------------------------


async def test_pages_that_loop_are_given_up_and_their_processes_end(site: LocalSite, own_browser: Any) -> None:
    fetcher = await own_browser(page_seconds=8, tabs=2)
    await fetcher.fetch(f"{site.url}/static", render="browser")
    before = set(renderers(browser_of(fetcher).pid))
    started = time.monotonic()
    pages = [fetcher.fetch(f"{site.url}{path}", render="browser") for path in ("/loop", "/late-loop")]
    for given_up in await asyncio.gather(*pages, return_exceptions=True):
        assert isinstance(given_up, FetchError)
        assert (given_up.code, given_up.retryable) == ("render_timeout", False)
    assert time.monotonic() - started < 60, "a slot is freed within a minute"
    left = [process for process in renderers(browser_of(fetcher).pid) if process not in before]
    assert await asyncio.to_thread(all_gone, left)
    assert (await fetcher.fetch(f"{site.url}/static", render="browser")).rendered


@pytest.mark.parametrize("path", ["/alerts", "/popups", "/downloads"])
def test_dialogs_popups_and_downloads_keep_no_page_from_its_text(site: LocalSite, fetcher: Fetcher, path: str) -> None:
    site.forget()
    assert "after it" in get(fetcher, f"{site.url}{path}").text
    assert not any(path.startswith("/popup") and path != "/popups" for path in site.paths)
    profiles = Path(tempfile.gettempdir()).glob(f"{PROFILE_PREFIX}{os.getpid()}-*")
    assert [found for profile in profiles for found in profile.rglob("*.zip*")] == []


def test_a_page_that_loads_too_much_is_refused(site: LocalSite, fetcher: Fetcher) -> None:
    with pytest.raises(FetchError) as refused:
        get(fetcher, f"{site.url}/loads")
    assert refused.value.code == "too_large"


@pytest.mark.parametrize("path", ["/redirects-out", "/moves-out"])
def test_no_redirect_leads_to_a_forbidden_address(site: LocalSite, fetcher: Fetcher, path: str) -> None:
    site.forget()
    with pytest.raises(ForbiddenAddress):
        get(fetcher, f"{site.url}{path}")
    assert "/static" not in site.paths


def test_cancelling_a_page_frees_its_place(site: LocalSite, fetcher: Fetcher) -> None:
    asked = threading.Event()

    async def never(request: web.Request) -> Answer:
        asked.set()
        await asyncio.sleep(60)
        return Answer("late")

    site.routes["/never"] = never
    site.routes["/waits"] = "<h1>Waits</h1><script>fetch('/never')</script><script src=/never></script>"
    page = submit(fetcher.fetch(f"{site.url}/waits", render="browser"))
    assert asked.wait(10)
    started = time.monotonic()
    page.cancel()
    with pytest.raises(CancelledError):
        page.result(30)
    assert get(fetcher, f"{site.url}/static").rendered  # there is only one tab
    assert time.monotonic() - started < 30, "the page itself waits for a minute"


# ---- The browser itself -------------------------------------------------------------------


async def test_a_browser_is_replaced_after_so_many_pages(site: LocalSite, own_browser: Any) -> None:
    fetcher = await own_browser(max_pages=2)
    pids = []
    for _ in range(3):
        await fetcher.fetch(f"{site.url}/static", render="browser")
        pids.append(browser_of(fetcher).pid)
    assert pids[0] == pids[1] != pids[2]
    assert not psutil.pid_exists(pids[0] or 0)


async def test_a_browser_that_takes_too_much_memory_is_killed_and_started_again(
    site: LocalSite, own_browser: Any
) -> None:
    fetcher = await own_browser(max_memory=350 * 2**20, page_seconds=20)
    with pytest.raises(FetchError) as killed:
        await fetcher.fetch(f"{site.url}/greedy", render="browser")
    assert (killed.value.code, killed.value.retryable) == ("browser_crashed", True)
    assert "MiB of memory" in killed.value.message
    assert (await fetcher.fetch(f"{site.url}/app", render="browser")).rendered


async def test_a_browser_that_dies_is_started_again(site: LocalSite, own_browser: Any) -> None:
    fetcher = await own_browser()
    await fetcher.fetch(f"{site.url}/static", render="browser")
    os.kill(browser_of(fetcher).pid or 0, signal.SIGKILL)
    with contextlib.suppress(FetchError):
        await fetcher.fetch(f"{site.url}/static", render="browser")
    assert (await fetcher.fetch(f"{site.url}/static", render="browser")).rendered


async def test_a_browser_that_nobody_uses_is_closed(site: LocalSite, own_browser: Any) -> None:
    fetcher = await own_browser(idle_seconds=0)
    await fetcher.fetch(f"{site.url}/static", render="browser")
    processes = tree(browser_of(fetcher).pid)
    assert await asyncio.to_thread(all_gone, processes)
    assert browser_of(fetcher).pid is None


async def test_it_opens_no_port_and_knows_nothing_of_our_environment(
    site: LocalSite, own_browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHON_SECRET_KEY", "not for browsers")
    fetcher = await own_browser()
    await fetcher.fetch(f"{site.url}/static", render="browser")
    for process in filter(_lives, tree(browser_of(fetcher).pid)):
        assert [place for place in process.net_connections() if place.status == psutil.CONN_LISTEN] == []
        assert "ARCHON_SECRET_KEY" not in process.environ()


async def test_a_program_that_is_no_browser_is_an_error_with_its_reason(site: LocalSite, own_browser: Any) -> None:
    fetcher = await own_browser(program="/bin/false")
    with pytest.raises(FetchError) as failed:
        await fetcher.fetch(f"{site.url}/static", render="browser")
    assert (failed.value.code, failed.value.retryable) == ("browser_crashed", True)
    assert "ARCHON_CHROMIUM" in failed.value.hint


async def test_a_browser_that_runs_already_is_used_and_left_alone(site: LocalSite, own_browser: Any) -> None:
    assert PROGRAM is not None
    # Its own way out leads nowhere: what arrives came by the context's proxy.
    chromium = await Chromium.start(PROGRAM, "http://127.0.0.1:9")
    socket = DevToolsSocket(chromium)
    try:
        fetcher = await own_browser(program="", cdp_url=await socket.open())
        assert "Filled" in (await fetcher.fetch(f"{site.url}/app", render="browser")).text
        with pytest.raises(ForbiddenAddress):
            await fetcher.fetch(f"{site.url}/redirects-out", render="browser")
        await fetcher.close()
        assert chromium.alive
    finally:
        await chromium.kill()
        await socket.close()


WORKER = """
import asyncio, sys
from pathlib import Path
from crawler.browser import BrowserSettings
from crawler.fetcher import Fetcher, FetchSettings
from crawler.guard import Guard, GuardPolicy

async def work(url, port, program, folder):
    guard = Guard(GuardPolicy(allow_private=(f"127.0.0.1:{port}",)))
    fetcher = Fetcher(FetchSettings("Archon/0.1", work_dir=folder), guard, BrowserSettings("Archon/0.1", program))
    await fetcher.fetch(f"{url}/static", render="browser")
    print("ready", flush=True)
    await fetcher.fetch(f"{url}/loop", render="browser")

asyncio.run(work(*sys.argv[1:]))
"""


def test_a_killed_worker_leaves_no_browser(site: LocalSite, tmp_path: Path) -> None:
    site.forget()
    arguments = [site.url, str(site.port), str(PROGRAM), str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments], cwd=root, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        site.wait_for("/loop")
        started = psutil.Process(worker.pid).children(recursive=True)
        assert any("chrom" in process.name() for process in started)
        worker.kill()
    assert all_gone(started), [process for process in started if _lives(process)]


# ---- Where there is none ------------------------------------------------------------------


async def test_without_a_browser_the_page_says_what_it_lacks(site: LocalSite, tmp_path: Path) -> None:
    async with fetcher_of(site, tmp_path, None) as fetcher:
        with pytest.raises(BrowserMissing) as missing:
            await fetcher.fetch(f"{site.url}/app", render="browser")
        assert missing.value.code == "browser_missing"
        assert "ARCHON_CHROMIUM" in missing.value.hint
        page = await fetcher.fetch(f"{site.url}/app", render="auto")
        assert not page.rendered
        assert "ARCHON_CHROMIUM" in page.note


def test_chromium_is_found_under_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_chromium("") is None
    assert find_chromium("/nowhere/chrome") is None
    program = tmp_path / "google-chrome"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_chromium("") == str(program)
    assert find_chromium(str(program)) == str(program)
