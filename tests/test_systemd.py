"""The systemd units start what the Procfile names, and systemd finds nothing wrong with them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stack import ROOT

UNITS = sorted((ROOT / "docs" / "systemd").glob("*.service"))
PROGRAM = "/srv/archon/.venv/bin/"


def words(command: str) -> set[str]:
    """Without what a unit says elsewhere: its variables, its address, how much it logs."""
    left = re.sub(r"REMAP_SIGTERM=\S+|port=\S+|--loglevel \w+", "", command)
    return set(left.replace(PROGRAM, "").split())


def test_each_unit_starts_a_part_of_the_procfile() -> None:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    parts = dict(line.split(": ", 1) for line in lines)
    parts.pop("release")
    assert {unit.stem for unit in UNITS} == {f"archon-{name}" for name in parts}
    for unit in UNITS:
        (started,) = re.findall(r"^ExecStart=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
        assert words(started) == words(parts[unit.stem.removeprefix("archon-")])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """Only the places differ: those of the units do not exist here."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace(PROGRAM, "/usr/bin/env ")
        (tmp_path / unit.name).write_text(text.replace("WorkingDirectory=/srv/archon", "WorkingDirectory=/"))
    command = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))]
    verdict = subprocess.run(command, capture_output=True, text=True, check=False)
    about_ours = [line for line in verdict.stderr.splitlines() if "archon-" in line]
    assert (verdict.returncode, about_ours) == (0, [])
