"""One supervisor per data folder, and everybody can read who it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archon.embedded import lock
from archon.embedded.lock import AlreadyRunning, Holder


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.05)


def test_the_holder_is_known_while_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock.holder(path) is None
    with lock.held(path, "http://localhost:1"):
        assert lock.holder(path) == Holder(os.getpid(), "http://localhost:1")
    assert lock.holder(path) is None


def test_a_second_one_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.held(path, "http://localhost:1"):
        with pytest.raises(AlreadyRunning) as refused, lock.held(path, "http://localhost:2"):
            pass
        assert refused.value.holder == Holder(os.getpid(), "http://localhost:1")
        assert lock.holder(path) == refused.value.holder


def test_what_a_killed_holder_wrote_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text('{"pid": 1, "url": "http://localhost:1"}')
    assert lock.holder(path) is None
    with lock.held(path, "http://localhost:2"):
        assert lock.holder(path) == Holder(os.getpid(), "http://localhost:2")
