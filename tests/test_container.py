"""compose.yaml and the Dockerfile name what exists, and give no part more than it needs.

No container runtime is at hand where the suite runs: that the image builds is not shown here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from archon.settings import env

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
    assert re.search(r"^USER archon$", DOCKERFILE, re.MULTILINE)


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
