"""A child that dies comes back later and later; a stop is patient and then firm."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from archon.embedded import child as child_module
from archon.embedded.child import Child, Plan
from tests.embedded.local_stack import eventually, gone

FOREVER = "import signal, sys, time; {setup}; print('up', flush=True); time.sleep(600)"
IGNORE_SIGTERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
WITH_A_GRANDCHILD = "import subprocess; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"


@pytest.fixture
def children() -> Iterator[list[Child]]:
    started: list[Child] = []
    yield started
    for child in started:
        child.wait(0, hurry=lambda: True)


def running(folder: Path, code: str, children: list[Child]) -> Child:
    child = Child(Plan("one", [sys.executable, "-c", code], folder, folder / "logs" / "one.log", grace_seconds=1))
    child.start()
    children.append(child)
    return child


def up(child: Child) -> bool:
    return child.plan.log.read_text().endswith("up\n")


def test_the_first_death_is_answered_at_once_and_later_ones_with_growing_pauses(
    tmp_path: Path, children: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "FIRST_PAUSE_SECONDS", 100)
    child = running(tmp_path, "raise SystemExit(3)", children)
    assert eventually(child.died) == 3
    assert child.due()
    child.start()
    assert not child.due()
    assert eventually(child.died) == 3
    assert child.deaths_in_a_row == 2
    assert not child.due()


def test_a_child_that_was_steady_starts_counting_anew(
    tmp_path: Path, children: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "STEADY_SECONDS", 0)
    child = running(tmp_path, "raise SystemExit(3)", children)
    for _ in range(3):
        eventually(child.died)
        assert child.deaths_in_a_row == 1
        child.start()


def test_its_last_lines_can_be_shown(tmp_path: Path, children: list[Child]) -> None:
    child = running(tmp_path, "print('first'); raise ValueError('the reason')", children)
    eventually(child.died)
    assert child.last_lines(1) == ["ValueError: the reason"]
    assert child.new_lines()[0] == "first"
    assert child.new_lines() == []


def test_what_it_started_dies_with_it(tmp_path: Path, children: list[Child]) -> None:
    child = running(tmp_path, FOREVER.format(setup=WITH_A_GRANDCHILD), children)
    eventually(lambda: up(child))
    assert child.pid is not None
    grandchildren = psutil.Process(child.pid).children()
    assert grandchildren
    psutil.Process(child.pid).kill()
    assert eventually(child.died) == -9
    eventually(lambda: gone(grandchildren))


def test_one_that_ignores_sigterm_is_killed_after_its_grace(tmp_path: Path, children: list[Child]) -> None:
    child = running(tmp_path, FOREVER.format(setup=IGNORE_SIGTERM), children)
    eventually(lambda: up(child))
    began = time.monotonic()
    child.ask_to_stop()
    child.wait(0.2, hurry=lambda: False)
    assert 0.2 <= time.monotonic() - began < 30
    assert child.pid is None


def test_a_second_ctrl_c_ends_the_patience(tmp_path: Path, children: list[Child]) -> None:
    child = running(tmp_path, FOREVER.format(setup=IGNORE_SIGTERM), children)
    eventually(lambda: up(child))
    began = time.monotonic()
    child.wait(60, hurry=lambda: True)
    assert time.monotonic() - began < 30


def test_a_large_log_is_cut_and_its_older_part_kept(
    tmp_path: Path, children: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "LOG_BYTES", 100)
    child = running(tmp_path, "print('x' * 200)", children)
    eventually(lambda: child.died() is not None)
    child.trim_log()
    assert child.plan.log.read_text() == ""
    assert child.plan.log.with_suffix(".log.1").read_text() == "x" * 200 + "\n"


def test_a_log_that_somebody_deletes_is_no_reason_to_stop(tmp_path: Path, children: list[Child]) -> None:
    child = running(tmp_path, FOREVER.format(setup="pass"), children)
    eventually(lambda: up(child))
    child.plan.log.unlink()
    child.trim_log()
    assert (child.new_lines(), child.last_lines()) == ([], [])
    assert child.died() is None
