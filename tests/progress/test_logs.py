"""The MCP log: stored by any process, streamed bare and in order, and told over REST."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client

from progress import logs, retention
from progress.log_rows import LOGGER, LogRecordHandler
from progress.models import LogRecord
from tests.progress.remote import open_socket, request
from tests.web import WebProcess, World
from tests.wire import assert_shaped_like, golden, published

METADATA = {"client_id": "cursor_client_001", "tool_name": "search_knowledge", "execution_time": 0.245}
CALL = "Tool 'search_knowledge' called with query: 'Python exceptions'"


def texts() -> list[dict[str, Any]]:
    return [published().checked(text) for _, text in logs.after(0)]


def messages() -> list[str]:
    return list(LogRecord.objects.values_list("message", flat=True))


@pytest.mark.django_db
class TestStored:
    def test_a_record_has_the_shape_of_the_seed(self) -> None:
        logs.write("INFO", LOGGER, CALL, METADATA)
        (frame,) = texts()
        assert_shaped_like(golden("mcp_log"), frame)
        example = golden("mcp_log")
        assert {**frame, "timestamp": ""} == {**example, "timestamp": "", "id": frame["id"]}
        assert "type" not in frame

    def test_records_are_read_in_order_and_in_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logs, "RECORDS_PER_READ", 2)
        ids = [logs.write("INFO", LOGGER, f"line {number}").pk for number in range(5)]
        assert [record.pk for record in logs.newest(3)] == ids[-3:]
        assert [number for number, _ in logs.after(ids[0])] == ids[1:3]
        assert logs.latest_id() == ids[-1]

    @pytest.mark.parametrize(
        "value",
        ["\0", "\ud800", "\ud83d\ude00", "x" * 50_000, object(), float("nan"), {1: {"\0": ["\0"]}}, b"\xff", 2**70],
    )
    def test_any_text_and_any_metadata_can_be_stored(self, value: Any) -> None:
        row = logs.write("INFO", str(value), str(value), {"value": value, "execution_time": float("inf")})
        row.refresh_from_db()
        (frame,) = texts()
        assert len(frame["message"]) <= logs.MESSAGE_CHARS
        assert frame["metadata"]["execution_time"] is None
        assert "\0" not in json.dumps(frame, ensure_ascii=False)

    def test_a_record_that_rolls_back_is_not_announced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            logs.write("INFO", LOGGER, "never")
            raise RuntimeError
        assert messages() == []

    def test_only_the_newest_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settings, "LOG_RECORDS_KEPT", 3)
        for number in range(5):
            logs.write("INFO", LOGGER, f"line {number}")
        retention.trim()
        assert messages() == ["line 2", "line 3", "line 4"]

    def test_ids_go_on_after_all_were_forgotten(self) -> None:
        """An open stream goes on from the last id it saw."""
        last = logs.write("INFO", LOGGER, "one").pk
        assert logs.clear() == 1
        assert logs.write("INFO", LOGGER, "two").pk > last


@pytest.mark.django_db(transaction=True)
def test_records_become_visible_in_the_order_of_their_ids() -> None:
    """Else a reader that saw the greater id would never be shown the smaller one."""
    second_done = threading.Event()

    def second() -> None:
        logs.write("INFO", LOGGER, "second")
        second_done.set()
        connection.close()

    other = threading.Thread(target=second)
    with transaction.atomic():
        first = logs.write("INFO", LOGGER, "first").pk
        other.start()
        assert not second_done.wait(0.3)
    other.join(20)
    assert [(record.pk > first, record.message) for record in logs.newest(2)] == [(False, "first"), (True, "second")]


@pytest.mark.django_db
class TestRest:
    def test_it_tells_what_is_stored(self, client: Client) -> None:
        assert client.get("/api/mcp/logs").json() == {"logs": [], "count": 0, "total": 0}
        for number in range(4):
            logs.write("INFO", LOGGER, f"line {number}", METADATA)
        body = client.get("/api/mcp/logs", {"limit": "3"}).json()
        assert [record["message"] for record in body["logs"]] == ["line 1", "line 2", "line 3"]
        assert (body["count"], body["total"]) == (3, 4)
        for record in body["logs"]:
            published().check(record)

    @pytest.mark.parametrize("limit", ["0", "1001", "x", "-1"])
    def test_a_limit_that_makes_no_sense_is_refused(self, client: Client, limit: str) -> None:
        response = client.get("/api/mcp/logs", {"limit": limit})
        assert response.status_code == 422
        assert response.json()["detail"]["field"] == "limit"

    def test_all_of_it_can_be_forgotten(self, client: Client) -> None:
        for number in range(3):
            logs.write("INFO", LOGGER, f"line {number}")
        body = client.delete("/api/mcp/logs").json()
        assert body == {"success": True, "message": "Deleted 3 log records.", "deleted": 3}
        assert client.get("/api/mcp/logs").json()["total"] == 0


@pytest.fixture
def log_rows() -> Iterator[LogRecordHandler]:
    """The handler that the settings attach; its thread and connection end with the test."""
    (handler,) = [one for one in logging.getLogger(LOGGER).handlers if isinstance(one, LogRecordHandler)]
    yield handler
    handler.close()


@pytest.mark.django_db(transaction=True)
class TestLogged:
    def test_what_is_logged_is_stored_in_order(self, log_rows: LogRecordHandler) -> None:
        log = logging.getLogger(LOGGER)
        for number in range(20):
            log.info("line %d", number, extra={"metadata": METADATA})
        log_rows.flush()
        assert messages() == [f"line {number}" for number in range(20)]
        assert_shaped_like(golden("mcp_log"), texts()[0])

    async def test_it_may_be_logged_inside_an_event_loop(self, log_rows: LogRecordHandler) -> None:
        logging.getLogger(LOGGER).warning("from a coroutine")
        await asyncio.to_thread(log_rows.flush)
        assert await asyncio.to_thread(counted, "from a coroutine") == 1

    def test_an_exception_is_part_of_the_metadata(self, log_rows: LogRecordHandler) -> None:
        try:
            raise ValueError("no such source")
        except ValueError:
            logging.getLogger(LOGGER).exception("Tool failed", extra={"metadata": METADATA})
        log_rows.flush()
        assert texts()[0]["metadata"] == {**METADATA, "error": "ValueError: no such source"}

    def test_of_the_sdk_only_warnings_are_shown(self, log_rows: LogRecordHandler) -> None:
        logging.getLogger("mcp.server.lowlevel").info("Processing request of type ListToolsRequest")
        logging.getLogger("mcp.server.lowlevel").warning("unknown method")
        log_rows.flush()
        assert messages() == ["unknown method"]

    def test_logging_never_raises(
        self, log_rows: LogRecordHandler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise ConnectionError("database away")

        log = logging.getLogger(LOGGER)
        monkeypatch.setattr(log, "propagate", False)  # pytest's own handler does raise
        with monkeypatch.context() as patch:
            patch.setattr(logs, "write", broken)
            log.info("lost")
            log_rows.flush()
        assert "database away" in capsys.readouterr().err
        log.info("arguments that %d not fit", "do", extra={"metadata": "no mapping"})
        log.info("and on")
        log_rows.flush()
        assert messages() == ["and on"]


def counted(message: str) -> int:
    count = LogRecord.objects.filter(message=message).count()
    connection.close()
    return count


LOGGING_PROCESS = """
import logging, sys, django
django.setup()
for count in map(int, sys.stdin):
    for number in range(count):
        logging.getLogger("mcp.server").info("line %d", number, extra={"metadata": METADATA})
"""


class Assistant:
    """A process that logs as many calls as it is told to."""

    def __init__(self, served: World) -> None:
        code = LOGGING_PROCESS.replace("METADATA", repr(METADATA))
        settings = {"DJANGO_SETTINGS_MODULE": "archon.settings"}
        self._program = served.program([sys.executable, "-c", code], "assistant.log", settings, stdin=subprocess.PIPE)

    def log(self, count: int) -> None:
        pipe = self._program.child.stdin
        assert pipe is not None
        pipe.write(f"{count}\n".encode())
        pipe.flush()

    def end(self) -> None:
        assert self._program.child.stdin is not None
        self._program.child.stdin.close()
        assert self._program.child.wait(20) == 0


@pytest.fixture
def assistant(served: World) -> Iterator[Assistant]:
    started = Assistant(served)
    yield started
    started.end()


another = assistant


def received(client: Any, count: int) -> list[dict[str, Any]]:
    """The next records; what keeps a socket alive is left out."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        frame = json.loads(client.recv(timeout=20))
        if "type" not in frame:
            found.append(frame)
    return found


@pytest.mark.both_databases
class TestStream:
    @pytest.fixture(autouse=True)
    def _empty(self, web: WebProcess) -> None:
        assert request(web, "DELETE", "/api/mcp/logs").status == 200

    def test_records_of_another_process_arrive_live(self, assistant: Assistant, web: WebProcess) -> None:
        with open_socket(web, "/api/mcp/logs/stream") as first, open_socket(web, "/api/mcp/logs/stream") as second:
            assistant.log(5)
            seen = received(first, 5)
            assert [record["message"] for record in seen] == [f"line {number}" for number in range(5)]
            assert received(second, 5) == seen
        assert_shaped_like(golden("mcp_log"), seen[0])
        assert request(web, "GET", "/api/mcp/logs?limit=5").json["logs"] == seen

    def test_the_newest_come_first_then_live_ones(
        self, assistant: Assistant, another: Assistant, web: WebProcess
    ) -> None:
        assistant.log(120)
        assistant.end()  # what it logged is stored before it ends
        with open_socket(web, "/api/mcp/logs/stream") as client:
            stored = received(client, 100)
            assert [record["message"] for record in stored] == [f"line {number}" for number in range(20, 120)]
            ids = [record["id"] for record in stored]
            assert ids == sorted(set(ids))
            another.log(1)
            (live,) = received(client, 1)
            assert live["id"] > ids[-1]
        with open_socket(web, f"/api/mcp/logs/stream?since={ids[-3]}") as client:
            assert received(client, 3) == [*stored[-2:], live]

    def test_a_stream_goes_on_after_all_was_forgotten(self, assistant: Assistant, web: WebProcess) -> None:
        assistant.log(2)
        with open_socket(web, "/api/mcp/logs/stream") as client:
            received(client, 2)
            assert request(web, "DELETE", "/api/mcp/logs").json["deleted"] == 2
            assistant.log(1)
            assert received(client, 1)[0]["message"] == "line 0"

    def test_it_answers_pings_and_beats(self, web: WebProcess) -> None:
        with open_socket(web, "/api/mcp/logs/stream?since=nonsense") as client:
            for ping in ("ping", '{"type":"ping"}'):
                client.send(ping)
                while json.loads(client.recv(timeout=20)) != golden("pong"):
                    pass
            while json.loads(client.recv(timeout=20)) != golden("heartbeat"):
                pass
