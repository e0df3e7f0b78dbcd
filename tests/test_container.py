"""compose.yaml and the Dockerfile name what exists, and give no part more than it needs.

No container runtime is at hand where the suite runs: that the image builds is not shown here.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from archon.settings import env
from tests.stack import free_port

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OURS = ("migrate", "web", "worker", "beat")


@pytest.mark.parametrize("name", OURS)
def test_our_parts_run_without_rights_on_a_file_system_they_cannot_change(name: str) -> None:
    part = COMPOSE["services"][name]
    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert part["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in part  # the image's own, which is not root
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_one_the_code_reads(name: str) -> None:
    given = set(COMPOSE["services"][name]["environment"]) - {"REMAP_SIGTERM"}
    assert given <= set(env.declared)
    assert set(re.findall(r"\bARCHON_[A-Z_]+(?==)", DOCKERFILE)) <= set(env.declared)


def test_what_serves_others_says_whether_it_is_well() -> None:
    for name in ("web", "worker", "redis", "postgres"):
        assert "healthcheck" in COMPOSE["services"][name], name


def test_only_the_web_process_is_reachable_and_only_from_this_machine() -> None:
    ports = {name: part["ports"] for name, part in COMPOSE["services"].items() if "ports" in part}
    assert ports == {"web": ["127.0.0.1:8080:8080"]}


def test_secrets_have_no_default() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    for name in ("ARCHON_SECRET_KEY", "ARCHON_ENCRYPTION_KEYS", "POSTGRES_PASSWORD"):
        assert re.findall(rf"\$\{{{name}[^}}]*}}", text)
        assert all(":?" in use for use in re.findall(rf"\$\{{{name}[^}}]*}}", text))


def test_the_image_holds_every_folder_that_runs() -> None:
    copied = set(re.findall(r"^COPY (\w[\w.]*) ", DOCKERFILE, re.MULTILINE))
    assert {"manage.py", "archon", "crawler", "knowledge", "progress", "requirements.txt"} <= copied


def test_images_are_pinned() -> None:
    for part in COMPOSE["services"].values():
        assert re.search(r":\d", part["image"]), part["image"]


@pytest.mark.parametrize("names", ["archon.example.org,other.example", ".example.org", "127.0.0.1", "*"])
def test_the_web_process_is_asked_under_a_name_that_it_answers_to(client: Client, settings: Any, names: str) -> None:
    command = COMPOSE["services"]["web"]["healthcheck"]["test"][1:]
    assert command[:2] == ["python", "-c"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        code = command[2].replace(":8080", f":{listening.getsockname()[1]}")
        listening.settimeout(60)
        asking = subprocess.Popen([sys.executable, "-c", code], env={"ARCHON_ALLOWED_HOSTS": names})
        asked, _ = listening.accept()
        with asked:
            lines = asked.recv(65_536).decode().split("\r\n")
            asked.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert asking.wait(60) == 0
    method, path, _ = lines[0].split()
    host = next(line.partition(": ")[2] for line in lines if line.lower().startswith("host:"))
    settings.LOCAL_MODE, settings.ALLOWED_HOSTS = False, names.split(",")
    assert client.generic(method, path, headers={"Host": host}).status_code == 200
    assert client.get("/health", headers={"Host": "rebound.example.net"}).status_code == (200 if names == "*" else 400)


def test_a_server_that_is_not_well_fails_its_check() -> None:
    code = COMPOSE["services"]["web"]["healthcheck"]["test"][3]
    done = subprocess.run(
        [sys.executable, "-c", code.replace(":8080", f":{free_port()}")],
        env={"ARCHON_ALLOWED_HOSTS": "x"},
        capture_output=True,
    )
    assert done.returncode == 1


def test_settings_that_compose_does_not_name_can_be_given_to_every_part() -> None:
    for name in OURS:
        assert COMPOSE["services"][name]["env_file"] == [{"path": ".env", "required": False}]
