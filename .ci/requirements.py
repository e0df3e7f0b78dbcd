"""The pinned requirements: `compile` makes them from pyproject.toml, `check` proves that they fit it.

The check needs no network: each pinned file records a digest of the dependency list it came from.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARK = "# dependencies sha256: "
COMPILE = [
    *("uv", "pip", "compile", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--custom-compile-command", "make requirements", "--quiet"),
]
SOURCES = {
    "requirements.txt": ["pyproject.toml"],
    "requirements-dev.txt": ["--group", "pyproject.toml:dev", "--constraint", "requirements.txt"],
}


def dependencies(pinned: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    production: list[str] = project["project"]["dependencies"]
    return production + project["dependency-groups"]["dev"] if "dev" in pinned else production


def digest(pinned: str) -> str:
    return hashlib.sha256(json.dumps(sorted(dependencies(pinned))).encode()).hexdigest()


def compile_all() -> None:
    for pinned, source in SOURCES.items():
        subprocess.run([*COMPILE, *source, "--output-file", pinned], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        path = ROOT / pinned
        path.write_text(f"{MARK}{digest(pinned)}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")


def check() -> int:
    stale = [pinned for pinned in SOURCES if not is_fresh(pinned)]
    if stale:
        sys.stderr.write(f"{' and '.join(stale)} do not fit pyproject.toml: run `make requirements`.\n")
    return len(stale)


def is_fresh(pinned: str) -> bool:
    with (ROOT / pinned).open(encoding="utf-8") as file:
        return file.readline().strip() == MARK + digest(pinned)


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["check"] else compile_all())
