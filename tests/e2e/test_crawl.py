"""The product from the outside: real redis, worker and Daphne, a local site, a WebSocket client."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest
import websockets
from websockets.sync.client import connect

from tests.e2e.served import FORBIDDEN, MISSING, served
from tests.site import Answer, LocalSite, Route
from tests.stack import ROOT, Stack, eventually
from tests.wire import assert_shaped_like, golden

pytestmark = pytest.mark.both_databases


def statuses(frames: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(frame["data"]["status"] for frame in frames))


async def test_crawl_progress_websocket(stack: Stack) -> None:
    """The seed document's own test."""
    uri = f"ws://127.0.0.1:{stack.port}/api/crawl-progress/test-id"

    async with websockets.connect(uri) as websocket:
        message = await websocket.recv()
        data = json.loads(message)

        assert data["type"] == "crawl_progress"
        assert data["data"]["progressId"] == "test-id"
        assert data["data"]["status"] == "waiting"
        assert data == golden("waiting")


async def test_a_socket_survives_whatever_a_client_sends(stack: Stack) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{stack.port}/api/crawl-progress/test-id") as websocket:
        await websocket.recv()
        for nonsense in (
            "{",
            "[]",
            "null",
            '{"type":"unknown"}',
            "ünïcode",
            b"\x00\xff",
            '{"type":"subscribe"}',
            "[" * 5000,
        ):
            await websocket.send(nonsense)
        await websocket.send("ping")
        assert json.loads(await websocket.recv()) == golden("pong")
        await websocket.send('{"type": "ping"}')
        assert json.loads(await websocket.recv()) == golden("pong")


@pytest.mark.parametrize("progress_id", ["a b", "🦓", "../../etc", "a\0b", "'; DROP TABLE x; --", "x" * 2000, "a?b#c"])
async def test_any_text_is_a_progress_id(stack: Stack, progress_id: str) -> None:
    uri = f"ws://127.0.0.1:{stack.port}/api/crawl-progress/{quote(progress_id, safe='')}"
    async with websockets.connect(uri) as websocket:
        assert json.loads(await websocket.recv())["data"]["status"] == "waiting"


async def test_a_page_of_another_site_gets_no_socket(stack: Stack) -> None:
    uri = f"ws://127.0.0.1:{stack.port}/api/crawl-progress/test-id"
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        await websockets.connect(uri, origin=websockets.Origin("https://evil.example"))
    assert refused.value.response.status_code == 403
    async with websockets.connect(uri, origin=websockets.Origin(stack.url)) as websocket:
        await websocket.recv()


def test_the_upgrade_that_the_seed_makes_by_hand_succeeds(stack: Stack) -> None:
    """`curl -i -H "Sec-WebSocket-Key: test" ...`: not a valid key, and it is to show that the endpoint is there."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "test",
        "Sec-WebSocket-Version": "13",
    }
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
    connection.request("GET", "/api/crawl-progress/test-id", headers=headers)
    assert connection.getresponse().status == 101
    connection.close()


@pytest.mark.parametrize("path", ["/", "/add", "/search?q=x", "/crawls/some-id", "/favicon.ico"])
def test_the_dashboard_answers_at_each_of_its_addresses(stack: Stack, path: str) -> None:
    assert stack.request("GET", path)[0] == 200


async def test_a_path_that_does_not_exist_closes_with_its_code(stack: Stack) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{stack.port}/api/nothing") as websocket:
        with pytest.raises(websockets.exceptions.ConnectionClosed):
            await websocket.recv()
        assert websocket.close_code == 4404


def test_a_crawl_is_watched_live_and_found_by_search(stack: Stack) -> None:
    with served(pages=30) as site:
        progress_id = stack.crawl(site.url, max_depth=5)
        frames = list(stack.frames(progress_id, "?since=0"))
        assert_shaped_like(golden("crawl_progress_initial"), frames[0])
        assert [frame["data"]["sequence"] for frame in frames] == list(range(1, len(frames) + 1))
        assert statuses(frames)[0] == "queued"
        assert statuses(frames)[-1] == "completed"
        assert [frame["type"] for frame in frames].count("crawl_completed") == 1
        shares = [frame["data"]["percentage"] for frame in frames]
        assert shares == sorted(shares)
        assert shares[-1] == 100
        assert 100 not in shares[:-1]

        last = frames[-1]["data"]
        assert_shaped_like(golden("crawl_completed"), frames[-1])
        pages = stack.pages(progress_id)
        states = Counter(page["state"] for page in pages)
        assert {page["url"] for page in pages if page["state"] == "done"} == set(site.page_urls)
        assert last["processedPages"] == states["done"] + states["failed"]
        assert states == {"done": 30, "failed": MISSING, "skipped": FORBIDDEN}
        assert last["totalPages"] == last["processedPages"]
        # The seed twice: a site with an llms.txt is asked whether it sends Markdown.
        assert site.fetched() == {**dict.fromkeys(site.fetched(), 1), site.docs.seed: 2}
        assert last["chunksStored"] == sum(page["chunks"] for page in pages)

        for number in (0, 7, 29):
            hits = stack.search(site.word(number), source=last["sourceId"])
            assert hits[0]["url"].partition("#")[0] == site.page_urls[number]
            assert site.word(number) in hits[0]["content"]


def test_who_connects_after_the_end_sees_the_same_history(stack: Stack) -> None:
    with served(pages=5) as site:
        progress_id = stack.crawl(site.url)
        live = list(stack.frames(progress_id, "?since=0"))
        assert list(stack.frames(progress_id, "?since=0")) == live
        assert list(stack.frames(progress_id, "?since=2")) == live[2:]
        (snapshot,) = stack.frames(progress_id)
        assert snapshot["type"] == "crawl_completed"
        assert snapshot["data"]["sequence"] == live[-1]["data"]["sequence"]


def test_server_sent_events_tell_the_same(stack: Stack) -> None:
    with served(pages=5) as site:
        progress_id = stack.crawl(site.url)
        live = list(stack.frames(progress_id, "?since=0"))
        address = f"{stack.url}/api/progress/{progress_id}/events"
        request = urllib.request.Request(address, headers={"Last-Event-ID": "1"})
        events: list[dict[str, Any]] = []
        with urllib.request.urlopen(request, timeout=30) as response:
            for line in response:
                if line.startswith(b"data: "):
                    events.append(json.loads(line.removeprefix(b"data: ")))
                    if len(events) == len(live) - 1:
                        break
        assert events == live[1:]


@pytest.mark.parametrize(
    ("routes", "code"),
    [
        ({}, "http_status"),
        ({"/": Answer(b"\x89PNG\r\n", content_type="image/png")}, "unsupported_type"),
        ({"/": "<html><body></body></html>"}, "empty_page"),
        ({"/": ""}, "empty_page"),
        ({"/robots.txt": "User-agent: *\nDisallow: /", "/": "<p>secret</p>"}, "robots_forbidden"),
    ],
)
def test_a_crawl_that_stores_nothing_fails_and_says_why(stack: Stack, routes: dict[str, Route], code: str) -> None:
    with LocalSite(routes) as site:
        progress_id = stack.crawl(site.url + "/")
        *_, last = frames = list(stack.frames(progress_id))
        assert last["type"] == "crawl_progress"
        assert last["data"]["status"] == "failed"
        assert last["data"]["error"]["code"] == code
        assert last["data"]["error"]["message"]
        assert last["data"]["percentage"] < 100
        assert all(frame["type"] == "crawl_progress" for frame in frames)
        assert stack.get(f"/api/progress/{progress_id}")["error"] == last["data"]["error"]


def test_a_site_that_does_not_answer_fails_with_its_own_reason(stack: Stack) -> None:
    with LocalSite() as site:
        url = site.url + "/"
    data = stack.ended(stack.crawl(url))
    assert data["status"] == "failed"
    assert data["error"]["code"] == "connect_failed"


def test_a_cancelled_crawl_stores_nothing_more(stack: Stack) -> None:
    with served(pages=200, delay=0.05) as site:
        progress_id = stack.crawl(site.url, max_depth=5)
        for frame in stack.frames(progress_id):
            if frame["data"].get("processedPages", 0) >= 5:
                break
        status, body = stack.request("POST", f"/api/knowledge-items/stop/{progress_id}")
        assert status == 200, body
        data = stack.ended(progress_id)
        assert data["status"] == "cancelled"
        kept = data["processedPages"]
        assert 0 < kept < 200
        source = stack.get(f"/api/knowledge-items/{data['sourceId']}")
        # A second crawl runs on the same workers: when it is over, the first one's slices are too.
        with served(pages=3) as other:
            stack.ended(stack.crawl(other.url))
        fetched = sum(site.fetched().values())
        assert fetched < 200
        assert stack.get(f"/api/knowledge-items/{data['sourceId']}") == source
        states = Counter(page["state"] for page in stack.pages(progress_id))
        assert states["done"] + states["failed"] == kept
        assert states["queued"] == states["leased"] == 0


@pytest.mark.parametrize("part", ["child", "worker"])
def test_a_killed_worker_costs_nothing(stack: Stack, part: str) -> None:
    with served(pages=60, delay=0.15) as site:
        progress_id = stack.crawl(site.url, max_depth=5)
        killed = False
        for frame in stack.frames(progress_id):
            if frame["data"].get("processedPages", 0) >= 20 and not killed:
                killed = True
                if part == "worker":
                    stack.kill("worker")
                    stack.spawn("worker")
                else:
                    for pid in stack.worker_pids():
                        os.kill(pid, signal.SIGKILL)
        assert killed
        assert frame["data"]["status"] == "completed", frame
        pages = stack.pages(progress_id)
        assert Counter(page["state"] for page in pages) == {"done": 60, "failed": MISSING, "skipped": FORBIDDEN}
        assert {page["url"] for page in pages if page["state"] == "done"} == set(site.page_urls)
        assert frame["data"]["processedPages"] == 60 + MISSING
        source = stack.get(f"/api/knowledge-items/{frame['data']['sourceId']}")
        assert (
            source["metadata"]["chunks_count"] == frame["data"]["chunksStored"] == sum(page["chunks"] for page in pages)
        )


def test_a_lost_wake_up_is_repeated(stack: Stack) -> None:
    """The broker forgets everything: the rows are still there, and the sweep asks again."""
    from redis import Redis

    with served(pages=40, delay=0.05) as site:
        progress_id = stack.crawl(site.url, max_depth=5)
        with Redis.from_url(stack.environment["REDIS_URL"]) as redis:
            redis.flushall()
        assert stack.ended(progress_id)["processedPages"] == 40 + MISSING


def test_the_web_process_may_restart_in_the_middle(stack: Stack) -> None:
    with served(pages=60, delay=0.1) as site:
        progress_id = stack.crawl(site.url, max_depth=5)
        first: list[dict[str, Any]] = []
        with stack.socket(progress_id, "?since=0") as client:
            while len(first) < 5:
                first.append(json.loads(client.recv(timeout=30)))
            stack.stop("web")
            with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                while True:
                    first.append(json.loads(client.recv(timeout=30)))
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        stack.spawn("web")
        stack.wait_until_ready()
        rest = list(stack.frames(progress_id, f"?since={first[-1]['data']['sequence']}"))
        history = first + rest
        assert [frame["data"]["sequence"] for frame in history] == list(range(1, len(history) + 1))
        assert history[-1]["type"] == "crawl_completed"
        assert list(stack.frames(progress_id, "?since=0")) == history


def test_only_the_failed_pages_are_retried(stack: Stack) -> None:
    with served(pages=10, broken=(3, 4)) as site:
        first = stack.crawl(site.url, max_depth=5)
        data = stack.ended(first)
        assert data["status"] == "completed"
        assert data["failedPages"] == 2 + MISSING
        assert "failed" in data["log"]
        failed = stack.pages(first, "&state=failed")
        assert {page["error"]["code"] for page in failed} == {"http_status"}
        site.repair()
        site.site.forget()
        status, body = stack.request("POST", f"/api/knowledge-items/retry-failed/{first}")
        assert status == 200, body
        again = stack.ended(body["progressId"])
        assert (again["status"], again["processedPages"], again["failedPages"]) == ("completed", 10 + MISSING, MISSING)
        assert site.fetched() == {site.docs.pages[number].path: 1 for number in (3, 4)}


def test_a_refresh_keeps_what_did_not_change(stack: Stack) -> None:
    with served(pages=6) as site:
        first = stack.ended(stack.crawl(site.url, max_depth=5))
        before = stack.get(f"/api/knowledge-items/{first['sourceId']}/chunks?limit=100")["chunks"]
        status, body = stack.request("POST", f"/api/knowledge-items/{first['sourceId']}/refresh")
        assert status == 200, body
        again = stack.ended(body["progressId"])
        assert again["kind"] == "refresh"
        assert stack.get(f"/api/knowledge-items/{first['sourceId']}/chunks?limit=100")["chunks"] == before


def in_terminal(stack: Stack, *words: str) -> tuple[int, str]:
    """A command as a person runs it: its output is a terminal. The exit code, and what was shown."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "manage.py", *words]
    running = subprocess.Popen(command, cwd=ROOT, env={**stack.environment, "COLUMNS": "200"}, stdout=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal ends whose last writer has gone
        while part := os.read(ours, 65_536):
            shown += part
    os.close(ours)
    return running.wait(60), shown.decode()


def test_the_command_shows_a_crawl_and_its_exit_code_tells(stack: Stack) -> None:
    with served(pages=8, broken=(5,)) as site:
        code, shown = in_terminal(stack, "crawl", "--no-start", site.url, "--max-depth", "5")
        assert code == 0, shown
        assert "completed" in shown
        assert f"{8 + MISSING}/{8 + MISSING} pages, {1 + MISSING} failed" in shown
        assert "manage.py search" in shown
        piped = stack.manage("crawl", "--no-start", site.url, "--max-depth", "5", check=False)
        assert json.loads(piped.stdout)["status"] == "completed"
        gone = stack.manage("crawl", "--no-start", site.url + "nowhere", check=False)
        assert gone.returncode == 1
        assert json.loads(gone.stdout)["error"]["code"] == "http_status"


def test_ctrl_c_in_the_terminal_cancels_the_crawl(stack: Stack) -> None:
    with served(pages=200, delay=0.1) as site:
        command = [sys.executable, "manage.py", "crawl", "--no-start", site.url, "--max-depth", "5"]
        running = subprocess.Popen(
            command, cwd=ROOT, env=stack.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        eventually(lambda: len(site.fetched()) > 5, what="pages are fetched")
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=30)
        assert running.returncode == 130, output
        assert "cancelled" in output
        assert stack.get("/api/progress/")["operations"] == []


def test_health_answers_while_a_crawl_runs(stack: Stack) -> None:
    with served(pages=60, delay=0.05) as site:
        progress_id = stack.crawl(site.url, max_depth=5)
        over = threading.Event()
        codes: list[int] = []

        def ask() -> None:
            while not over.is_set():
                codes.append(stack.request("GET", "/health")[0])

        asking = threading.Thread(target=ask)
        asking.start()
        data = stack.ended(progress_id)
        over.set()
        asking.join()
        assert data["status"] == "completed"
        assert set(codes) == {200}
        assert stack.get("/ready")["ready"] is True


@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/crawler/crawljob/",
        "/admin/crawler/crawlurl/",
        "/admin/progress/progress/",
        "/admin/progress/progressevent/",
        "/admin/progress/logrecord/",
        "/admin/knowledge/knowledgeitem/",
        "/admin/knowledge/document/",
        "/admin/knowledge/chunk/",
        "/api/docs",
        "/api/openapi.json",
    ],
)
def test_admin_and_api_pages_open(stack: Stack, path: str) -> None:
    assert stack.request("GET", path)[0] == 200


def test_the_list_of_sources_is_pushed_on_every_change(stack: Stack) -> None:
    def until(client: Any, wanted: Any) -> dict[str, Any]:
        while True:
            frame = json.loads(client.recv(timeout=30))
            if frame["type"] == "knowledge_items_update" and wanted(frame["data"]):
                return dict(frame["data"])

    with (
        served(pages=12, delay=0.05) as site,
        connect(f"{stack.url.replace('http', 'ws')}/api/knowledge-items/stream") as client,
    ):
        first = json.loads(client.recv(timeout=30))
        assert_shaped_like(golden("knowledge_items_update"), first)
        client.send(json.dumps({"type": "subscribe", "search": site.url, "per_page": 5}))
        assert until(client, lambda data: data["per_page"] == 5)["total"] == 0
        progress_id = stack.crawl(site.url, max_depth=5)
        assert until(client, lambda data: data["total"] == 1)
        done = until(client, lambda data: data["items"][0]["metadata"]["document_count"] == 12)
        source_id = done["items"][0]["source_id"]
        assert stack.ended(progress_id)["sourceId"] == source_id
        assert stack.request("PUT", f"/api/knowledge-items/{source_id}", {"title": "Renamed"})[0] == 200
        assert until(client, lambda data: data["items"][0]["title"] == "Renamed")
        assert stack.request("DELETE", f"/api/knowledge-items/{source_id}")[0] == 200
        assert until(client, lambda data: data["total"] == 0)


def test_a_refresh_asks_only_for_what_changed_and_forgets_what_is_gone(stack: Stack) -> None:
    with served(pages=8) as site:
        first = stack.ended(stack.crawl(site.url, max_depth=5))
        source = f"/api/knowledge-items/{first['sourceId']}"
        before = {chunk["id"]: chunk["content"] for chunk in stack.get(f"{source}/chunks?limit=100")["chunks"]}

        def refreshed() -> tuple[dict[str, Any], Counter[str]]:
            site.site.forget()
            status, body = stack.request("POST", f"{source}/refresh")
            assert status == 200, body
            data = stack.ended(body["progressId"])
            return data, Counter(page["reason"] for page in stack.pages(body["progressId"], "&state=done"))

        data, reasons = refreshed()
        assert reasons == {"unchanged": 8}
        assert {page["http_status"] for page in stack.pages(data["progressId"], "&state=done")} == {304}
        assert data["chunksStored"] == first["chunksStored"]

        changed = site.docs.pages[2]
        answer = site.docs[changed.path]
        assert isinstance(answer, Answer)
        site.site.routes[changed.path] = Answer(str(answer.body).replace(changed.word, "wombat0002"))
        site.break_pages([5], status=410)
        data, reasons = refreshed()
        assert reasons == {"unchanged": 6, "changed": 1}
        assert data["failedPages"] == 1 + MISSING
        after = {chunk["id"]: chunk["content"] for chunk in stack.get(f"{source}/chunks?limit=100")["chunks"]}
        assert len(before.keys() & after.keys()) == len(before) - 1
        assert stack.search("wombat0002", source=first["sourceId"])[0]["url"].startswith(site.page_urls[2])
        assert stack.get(source)["metadata"]["document_count"] == 8

        data, _ = refreshed()
        assert "1 page is gone" in data["log"]
        assert stack.get(source)["metadata"]["document_count"] == 7
        assert not any(site.word(5) in hit["content"] for hit in stack.search(site.word(5), source=first["sourceId"]))
