"""Progress over plain HTTP: snapshot, events, the active list, Server-Sent Events; and what operators see."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import AsyncClient, Client
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import ClientConnection

from progress import history, metrics, retention, tracker, views
from progress.history import Frames
from progress.status import Status
from progress.topic import Topic
from tests.progress.remote import event_stream, open_socket, request
from tests.stack import ROOT, eventually
from tests.web import WebProcess, Writer
from tests.wire import assert_shaped_like, golden, published


def state_of(client: Client, progress_id: str, query: str = "", **headers: str) -> Any:
    return client.get(f"/api/progress/{progress_id}{query}", headers=headers)


@pytest.mark.django_db
class TestState:
    def test_it_is_the_data_of_the_socket(self, client: Client) -> None:
        row = tracker.create(lines=["Starting crawl..."])
        response = state_of(client, row.id)
        assert response.status_code == 200
        assert response["Cache-Control"] == "no-cache"
        assert response["X-Poll-Interval"] == "1000"
        assert response.json() == json.loads(history.first_frame(row.id).texts[0])["data"]

    def test_the_etag_holds_until_something_happens(self, client: Client) -> None:
        row = tracker.create()
        etag = state_of(client, row.id)["ETag"]
        for asked in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            unchanged = state_of(client, row.id, **{"If-None-Match": asked})
            assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", etag), asked
        tracker.cancel(row.id)
        changed = state_of(client, row.id, **{"If-None-Match": etag})
        assert changed.status_code == 200
        assert changed["ETag"] != etag
        assert changed["X-Poll-Interval"] == "0"

    def test_since_adds_the_events_after_it(self, client: Client) -> None:
        row = tracker.create()
        tracker.update(row.id, status=Status.CRAWLING, lines=["one"])
        tracker.complete(row.id, lines=["two"])
        body = state_of(client, row.id, "?since=1").json()
        assert [frame["data"]["sequence"] for frame in body["events"]] == [2, 3]
        assert body["events"] == [json.loads(text) for text in history.frames_since(row.id, 1).texts]
        assert body["sequence"] == 3
        assert state_of(client, row.id, "?since=3").json()["events"] == []

    def test_since_is_answered_whatever_the_etag(self, client: Client) -> None:
        row = tracker.create()
        etag = state_of(client, row.id)["ETag"]
        assert len(state_of(client, row.id, "?since=0", **{"If-None-Match": etag}).json()["events"]) == 1

    def test_events_that_are_no_longer_kept_are_a_snapshot(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "PROGRESS_EVENTS_KEPT", 1)
        row = tracker.create()
        tracker.update(row.id, status=Status.CRAWLING)
        tracker.update(row.id, status=Status.FINALIZING)
        retention.trim()
        (event,) = state_of(client, row.id, "?since=1").json()["events"]
        assert event["data"]["resync"] is True
        assert event["data"]["sequence"] == 3

    @pytest.mark.parametrize("since", ["-1", "x", str(10**16), "1.5"])
    def test_a_since_that_makes_no_sense_is_refused(self, client: Client, since: str) -> None:
        row = tracker.create()
        response = state_of(client, row.id, f"?since={since}")
        assert response.status_code == 422
        assert response.json()["detail"]["field"] == "since"

    @pytest.mark.parametrize("progress_id", ["test-id", "%00", "..%2F..", "%F0%9F%98%80", "a" * 5000, "' OR 1=1 --"])
    def test_an_unknown_id_is_not_found(self, client: Client, progress_id: str) -> None:
        response = state_of(client, progress_id)
        assert response.status_code == 404
        assert response.json()["detail"]["code"] == "progress_unknown"

    def test_the_list_holds_what_is_not_over(self, client: Client) -> None:
        running, over = tracker.create(), tracker.create()
        tracker.cancel(over.id)
        body = client.get("/api/progress/").json()
        assert [operation["progressId"] for operation in body["operations"]] == [running.id]
        assert body["count"] == 1
        (operation,) = body["operations"]
        published().check({"type": "crawl_progress", "data": {**operation, "logs": []}})


@pytest.fixture
def progress_id() -> str:
    return f"views-{uuid.uuid4()}"


def events_path(progress_id: str, query: str = "") -> str:
    return f"/api/progress/{progress_id}/events{query}"


def followed(web: WebProcess) -> dict[str, int]:
    """Topics of the process with the number of their followers."""
    body = request(web, "GET", "/api/debug/realtime").json
    return {topic["topic"]: topic["followers"] for topic in body["topics"]}


def next_state(client: ClientConnection) -> dict[str, Any]:
    """The next frame that is no heartbeat."""
    while (frame := json.loads(client.recv(timeout=20)))["type"] == "heartbeat":
        pass
    return dict(frame)


@pytest.mark.both_databases
class TestServerSentEvents:
    def test_an_unknown_id_waits_and_goes_live(self, web: WebProcess, writer: Writer, progress_id: str) -> None:
        with event_stream(web, events_path(progress_id)) as stream:
            first = stream.next()
            assert (first.id, stream.retry) == (0, 2000)
            assert_shaped_like(golden("waiting"), first.frame)
            writer.ask("create", progress_id)
            writer.ask("event", progress_id, "a page")
            writer.ask("end", progress_id)
            seen = [stream.next() for _ in range(3)]
        assert [event.id for event in seen] == [event.data["sequence"] for event in seen] == [1, 2, 3]
        assert seen[-1].frame["type"] == "crawl_completed"

    def test_it_tells_what_the_socket_tells(self, web: WebProcess, writer: Writer, progress_id: str) -> None:
        writer.ask("create", progress_id)
        with (
            event_stream(web, events_path(progress_id)) as stream,
            open_socket(web, f"/api/crawl-progress/{progress_id}") as client,
        ):
            seen, frames = [stream.next().frame], [next_state(client)]
            writer.ask("events", progress_id, 5)
            seen += [stream.next().frame for _ in range(5)]
            frames += [next_state(client) for _ in range(5)]
        assert seen == frames

    @pytest.mark.parametrize("how", ["header", "query"])
    def test_it_goes_on_after_the_last_event(self, web: WebProcess, writer: Writer, progress_id: str, how: str) -> None:
        writer.ask("create", progress_id)
        writer.ask("events", progress_id, 4)
        with event_stream(web, events_path(progress_id)) as stream:
            assert stream.next().id == 5
        headers = {"Last_Event_ID": "2"} if how == "header" else {}
        with event_stream(web, events_path(progress_id, "?since=2" if how == "query" else ""), **headers) as stream:
            assert [stream.next().id for _ in range(3)] == [3, 4, 5]
            writer.ask("end", progress_id)
            assert stream.next().id == 6

    @pytest.mark.parametrize("last", ["x", "-1", "9" * 30, "1 2"])
    def test_a_last_event_id_that_is_no_number_means_the_snapshot(
        self, web: WebProcess, writer: Writer, progress_id: str, last: str
    ) -> None:
        writer.ask("create", progress_id)
        with event_stream(web, events_path(progress_id), Last_Event_ID=last) as stream:
            assert stream.next().id == 1

    def test_events_that_are_no_longer_kept_are_one_snapshot(
        self, web: WebProcess, writer: Writer, progress_id: str
    ) -> None:
        writer.ask("prepare", progress_id, 20)
        writer.ask("send", progress_id, 20, 1, 0)
        with event_stream(web, events_path(progress_id), Last_Event_ID="40") as stream:
            event = stream.next()
        assert event.data["resync"] is True
        assert event.id == event.data["sequence"]

    def test_silence_is_filled_with_comments(self, web: WebProcess, writer: Writer, progress_id: str) -> None:
        with event_stream(web, events_path(progress_id)) as stream:
            stream.next()
            assert [stream.comment() for _ in range(2)] == ["heartbeat"] * 2
            writer.ask("create", progress_id)
            assert stream.next().id == 1

    def test_who_goes_away_is_followed_no_more(self, web: WebProcess, writer: Writer, progress_id: str) -> None:
        topic = f"progress:{progress_id}"
        with event_stream(web, events_path(progress_id)) as first:
            first.next()
            with event_stream(web, events_path(progress_id)) as second:
                second.next()
                assert followed(web)[topic] == 2
            eventually(lambda: followed(web).get(topic) == 1, seconds=10, what="one follower is left")
            writer.ask("create", progress_id)
            assert first.next().id == 1
        eventually(lambda: topic not in followed(web), seconds=10, what="the topic is gone")

    def test_who_goes_away_at_once_is_followed_no_more(self, web: WebProcess, progress_id: str) -> None:
        asked = f"GET {events_path(progress_id)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
                connection.sendall(asked)
        eventually(lambda: f"progress:{progress_id}" not in followed(web), seconds=10, what="the topic is gone")
        path = metrics.EVENTS_PATH
        eventually(lambda: scraped(web).get(("archon_sockets_open", path), 0) == 0, seconds=10, what="none is open")


async def test_an_event_stream_is_only_read(async_client: AsyncClient) -> None:
    assert (await async_client.post(events_path("test-id"))).status_code == 405


async def test_a_hole_that_nothing_fills_is_one_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever follows is behind what is kept: the present stands for the past."""

    class Trimmed:
        async def after(self, sequence: int) -> list[tuple[int, str]]:
            return [(8, "eight"), (9, "nine")]

        async def latest(self) -> int:
            return 9

    async def now(read: Callable[[], Frames]) -> Frames:
        return read()

    def unused(since: int | None) -> Frames:
        raise AssertionError(since)

    monkeypatch.setattr(views, "in_thread", now)
    stream = views.Events("/path", "an-id", "trimmed", Trimmed, unused, lambda: Frames(["now"], 9), "me", lambda: None)
    topic = Topic("trimmed", Trimmed(), gapless=True)
    topic.start_at(2)
    topic.append([(8, "eight"), (9, "nine")])
    live = views._live(topic, stream, 2, asyncio.Event())
    assert await anext(live) == [(9, "now")]
    topic.append([(10, "ten")])
    assert await anext(live) == [(10, "ten")]
    await live.aclose()


def scraped(web: WebProcess) -> dict[tuple[str, str], float]:
    """(sample, path or stream) -> value."""
    text = request(web, "GET", "/metrics").body.decode()
    return {
        (sample.name, sample.labels.get("path") or sample.labels.get("stream", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.both_databases
def test_an_event_stream_is_counted(web: WebProcess, writer: Writer, progress_id: str) -> None:
    path, before = metrics.EVENTS_PATH, scraped(web)
    with event_stream(web, events_path(progress_id)) as stream:
        stream.next()
        during = scraped(web)
        assert during["archon_sockets_open", path] == before.get(("archon_sockets_open", path), 0) + 1
        assert during["archon_frames_sent_total", ""] > before["archon_frames_sent_total", ""]
        assert during["archon_bytes_sent_total", ""] > before["archon_bytes_sent_total", ""] + 100
    ended = before.get(("archon_socket_seconds_count", path), 0) + 1
    eventually(lambda: scraped(web).get(("archon_socket_seconds_count", path)) == ended, what="its end is counted")
    line = f"socket closed: {path} '{progress_id}'"
    eventually(lambda: line in web.log.read_text(), what="its end is logged")


@pytest.mark.both_databases
def test_a_socket_and_its_news_are_counted(web: WebProcess, writer: Writer, progress_id: str) -> None:
    path, before = "/api/crawl-progress/{progress_id}", scraped(web)
    with open_socket(web, f"/api/crawl-progress/{progress_id}") as client:
        next_state(client)
        opened = before.get(("archon_sockets_open", path), 0) + 1
        assert scraped(web)["archon_sockets_open", path] == opened
        writer.ask("create", progress_id)
        writer.ask("events", progress_id, 3)
        while next_state(client)["data"].get("sequence", 0) < 4:
            pass
        during = scraped(web)
        assert during["archon_frames_sent_total", ""] >= before["archon_frames_sent_total", ""] + 5
        assert (
            during["archon_news_heard_total", "progress"] >= before.get(("archon_news_heard_total", "progress"), 0) + 4
        )
        writer.ask("silently", progress_id, 1)
        while next_state(client)["data"]["sequence"] < 5:
            pass
        after = scraped(web)
        for name in ("archon_heals_total", "archon_polls_found_total"):
            assert after[name, "progress"] > before.get((name, "progress"), 0), name
    eventually(lambda: scraped(web)["archon_sockets_open", path] == opened - 1, what="its end is counted")
    assert not any(progress_id in label for _, label in scraped(web))


@pytest.mark.django_db
class TestMetrics:
    """Without a database: pytest-django refuses every connection here."""

    def test_a_scrape_is_prometheus_text(self, client: Client) -> None:
        response = client.get("/metrics")
        assert response["Content-Type"].startswith("text/plain")
        names = {family.name for family in text_string_to_metric_families(response.content.decode())}
        assert names == {family.name for family in metrics.registry.collect()}
        assert "process_resident_memory_bytes" in names
        assert client.post("/metrics").status_code == 405

    def test_every_metric_is_documented(self) -> None:
        documented = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
        for family in metrics.registry.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            assert f"`{name}`" in documented, f"docs/operations.md lacks {name}"
        named = set(re.findall(r"`(archon_\w+)`", documented))
        known = {family.name for family in metrics.registry.collect()}
        assert {name.removesuffix("_total") for name in named} <= known

    def test_the_endpoints_beside_rest_are_documented(self) -> None:
        documented = (ROOT / "docs" / "rest.md").read_text(encoding="utf-8")
        for path in ("/metrics", "/api/debug/realtime", "/api/asyncapi.json"):
            assert f"`GET {path}`" in documented
        assert "`/api/asyncapi.json`" in (ROOT / "docs" / "websocket.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("call", "name", "labels"),
        [
            (lambda: metrics.written(2, 100, sockets=3), "archon_frames_sent_total", {}),
            (lambda: metrics.written(2, 100, sockets=3), "archon_bytes_sent_total", {}),
            (lambda: metrics.heard("progress:1"), "archon_news_heard_total", {"stream": "progress"}),
            (lambda: metrics.healed("mcp-logs"), "archon_heals_total", {"stream": "mcp-logs"}),
            (lambda: metrics.poll_found("progress:1"), "archon_polls_found_total", {"stream": "progress"}),
            (metrics.layer_failed, "archon_layer_errors_total", {}),
            (lambda: metrics.published("progress:1"), "archon_events_published_total", {"stream": "progress"}),
            (metrics.publish_failed, "archon_publish_failures_total", {}),
            (lambda: metrics.opened("/x").too_slow(), "archon_slow_closes_total", {}),
        ],
    )
    def test_every_call_moves_its_counter(self, call: Callable[[], None], name: str, labels: dict[str, str]) -> None:
        before = metrics.registry.get_sample_value(name, labels) or 0
        call()
        expected = {"archon_frames_sent_total": 6, "archon_bytes_sent_total": 300}.get(name, 1)
        assert metrics.registry.get_sample_value(name, labels) == before + expected

    def test_the_life_of_a_socket_is_measured_and_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        def sample(name: str) -> float:
            return metrics.registry.get_sample_value(name, {"path": "/life"}) or 0

        caplog.set_level("DEBUG", "progress.metrics")
        one = metrics.opened("/life", "some\nid")
        assert sample("archon_sockets_open") == 1
        with one.sending("text"):
            pass
        one.closed(1001)
        one.closed(1001)
        assert sample("archon_sockets_open") == 0
        assert sample("archon_socket_seconds_count") == 1
        assert r"socket opened: /life 'some\nid'" in caplog.text
        assert r"socket closed: /life 'some\nid': code 1001 after 0.0 s" in caplog.text
        assert "slow send" not in caplog.text

    def test_a_slow_send_is_a_line_in_the_log(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(metrics, "SLOW_SEND_SECONDS", 0)
        with metrics.opened("/slow", "an-id").sending("text"):
            pass
        assert "slow send: /slow 'an-id'" in caplog.text

    @pytest.mark.parametrize(
        ("path", "kwargs", "expected"),
        [
            ("/api/crawl-progress/abc", {"progress_id": "abc"}, ("/api/crawl-progress/{progress_id}", "abc")),
            ("/api/crawl-progress/", {"progress_id": ""}, ("/api/crawl-progress/{progress_id}", "")),
            ("/api/crawl-progress/a/b", {"progress_id": "a/b"}, ("/api/crawl-progress/{progress_id}", "a/b")),
            ("/api/mcp/logs/stream", {}, ("/api/mcp/logs/stream", "")),
        ],
    )
    def test_a_label_never_holds_an_id(self, path: str, kwargs: dict[str, str], expected: tuple[str, str]) -> None:
        assert metrics.route_of({"path": path, "url_route": {"kwargs": kwargs}}) == expected


class TestDebug:
    async def test_in_local_mode_the_operator_sees_the_hub(self, async_client: AsyncClient) -> None:
        response = await async_client.get("/api/debug/realtime")
        assert response.status_code == 200
        assert response.json() == {"topics": [], "publisher": {"pending": 0}}

    @pytest.mark.both_databases
    def test_it_names_the_topics_and_their_state(self, web: WebProcess, writer: Writer, progress_id: str) -> None:
        writer.ask("create", progress_id)
        with open_socket(web, f"/api/crawl-progress/{progress_id}") as client:
            next_state(client)
            writer.ask("events", progress_id, 3)
            while next_state(client)["data"]["sequence"] < 4:
                pass
            body = request(web, "GET", "/api/debug/realtime").json
            (topic,) = [topic for topic in body["topics"] if topic["topic"] == f"progress:{progress_id}"]
        expected = {"followers": 1, "riders": 1, "log_frames": 3, "last_sequence": 4, "subscribed": True}
        assert topic == {"topic": f"progress:{progress_id}", **expected, "healing": False}

    @pytest.mark.usefixtures("transactional_db")
    @pytest.mark.parametrize(("staff", "status"), [(None, 401), (False, 403), (True, 200)])
    async def test_on_a_server_only_staff_may_look(
        self, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch, staff: bool | None, status: int
    ) -> None:
        monkeypatch.setattr(settings, "LOCAL_MODE", False)
        if staff is not None:
            user = await get_user_model().objects.acreate(username="someone", is_staff=staff)
            await async_client.aforce_login(user)
        response = await async_client.get("/api/debug/realtime")
        assert response.status_code == status
        if status == 403:
            assert response.json()["detail"]["code"] == "scope_missing"
