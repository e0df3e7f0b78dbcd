"""Four real documentation sites from Debian's packages: the installed files, else the package fetched and unpacked."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.stack import ROOT

CACHE = ROOT / "var" / "bench-sites"


@dataclass(frozen=True, slots=True)
class Documentation:
    """`path` is the folder of the site within the package; `word` is found on one of its first pages."""

    name: str
    package: str
    path: str
    word: str

    def folder(self) -> Path:
        """Raises SiteMissing when the package is neither installed nor to be had."""
        for root in (Path("/"), CACHE / self.package):
            if (root / self.path / "index.html").exists():
                return root / self.path
        self._fetch()
        return CACHE / self.package / self.path

    def _fetch(self) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["apt-get", "download", self.package], cwd=CACHE, capture_output=True, check=True)
            (archive, *_) = CACHE.glob(f"{self.package}_*.deb")
            subprocess.run(["dpkg-deb", "-x", str(archive), self.package], cwd=CACHE, capture_output=True, check=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise SiteMissing(f"{self.package} is not installed and cannot be fetched: {error}") from error


class SiteMissing(Exception):
    """The message says which package to install."""


SITES = {
    site.name: site
    for site in (
        Documentation("python", "python3.11-doc", "usr/share/doc/python3.11/html", "tutorial"),
        Documentation("postgresql", "postgresql-doc-15", "usr/share/doc/postgresql-doc-15/html", "postgresql"),
        Documentation("git", "git-doc", "usr/share/doc/git-doc", "git"),
        Documentation("sqlite", "sqlite3-doc", "usr/share/doc/sqlite3", "sqlite"),
    )
}


@contextlib.contextmanager
def documentation_site(folder: Path) -> Iterator[str]:
    """Served by a process of its own; the address of its first page."""
    command = [sys.executable, "-m", "tests.site", "--directory", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip() + "index.html"
        finally:
            server.terminate()
