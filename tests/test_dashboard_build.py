"""The committed dashboard build: fresh, complete, small, and without anything inline. Needs no Node."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

DASHBOARD = Path(__file__).resolve().parent.parent / "archon" / "dashboard"
DIST = DASHBOARD / "dist"
SOURCE_TREES = ("src", "public", "packages")
SOURCE_FILES = re.compile(r"index\.html|package\.json|package-lock\.json|vite\.config\.ts|tsconfig.*\.json")
MAX_SCRIPT_BYTES = 150_000
HASHED_NAME = re.compile(r"^[\w-]+-[\w-]{8}\.\w+$")


def source_paths() -> list[str]:
    """What dist/ is built from. archon/dashboard/vite.config.ts holds the same list."""
    in_trees = [path for tree in SOURCE_TREES for path in (DASHBOARD / tree).rglob("*") if path.is_file()]
    at_top = [path for path in DASHBOARD.iterdir() if SOURCE_FILES.fullmatch(path.name)]
    relative = [path.relative_to(DASHBOARD) for path in (*in_trees, *at_top)]
    # A package carries its own build.
    ours = [path for path in relative if not any(part.startswith(".") or part == "dist" for part in path.parts)]
    return sorted(path.as_posix() for path in ours)


def fingerprint() -> str:
    lines = [f"{hashlib.sha256((DASHBOARD / path).read_bytes()).hexdigest()}  {path}\n" for path in source_paths()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class Page(HTMLParser):
    """Collects what index.html refers to, and whatever a strict content policy would refuse."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.inline: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        reference = given.get("src") or given.get("href")
        if reference:
            self.references.append(reference)
        if tag == "script":
            self.scripts.append(reference or "")
        if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.inline.append(self.get_starttag_text() or tag)
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, text: str) -> None:
        if self._inside == "script" and text.strip():
            self.inline.append(text.strip())


@pytest.fixture(scope="module")
def page() -> Page:
    return Page((DIST / "index.html").read_text())


def test_the_build_is_made_from_the_sources_as_they_are() -> None:
    built = (DIST / "sources.sha256").read_text().strip()
    assert built == fingerprint(), "archon/dashboard/dist is stale: run `npm ci && npm run build` in archon/dashboard"


def test_the_page_refers_only_to_files_that_are_there(page: Page) -> None:
    assert page.references
    for reference in page.references:
        assert reference.startswith("/assets/"), f"{reference} is not served: only /assets/ is"
        assert (DIST / reference.removeprefix("/")).is_file(), f"{reference} is missing in dist/"


def test_the_styles_refer_only_to_files_that_are_there() -> None:
    for sheet in (DIST / "assets").glob("*.css"):
        for reference in re.findall(r"url\(([^)]+)\)", sheet.read_text()):
            name = reference.strip("'\"").removeprefix("/assets/")
            assert (DIST / "assets" / name).is_file(), f"{sheet.name} names {reference}, which is missing"


def test_the_page_has_nothing_inline(page: Page) -> None:
    assert page.inline == []
    assert page.scripts
    assert all(page.scripts)


def test_asset_names_carry_a_hash_so_that_they_can_be_cached_for_ever() -> None:
    names = [path.name for path in (DIST / "assets").iterdir()]
    assert [name for name in names if not HASHED_NAME.match(name)] == []


def test_no_asset_is_left_over_from_another_build(page: Page) -> None:
    texts = "".join(path.read_text() for path in DIST.rglob("*") if path.suffix in {".html", ".css", ".js"})
    orphans = [path.name for path in (DIST / "assets").iterdir() if path.suffix != ".txt" and path.name not in texts]
    assert orphans == []


def test_the_scripts_of_the_first_view_stay_small(page: Page) -> None:
    """Those the page names, and those they import at once; a view that is asked for later may load its own."""
    assets = DIST / "assets"
    wanted = [Path(reference).name for reference in page.references if reference.endswith(".js")]
    sizes: dict[str, int] = {}
    while wanted:
        name = wanted.pop()
        if name not in sizes:
            script = (assets / name).read_bytes()
            sizes[name] = len(gzip.compress(script, mtime=0))
            wanted += re.findall(r"""(?:from|^import|;import)\s*["']\./([\w.-]+\.js)["']""", script.decode())
    assert 0 < sum(sizes.values()) <= MAX_SCRIPT_BYTES, sizes


def test_the_types_are_made_from_the_schemas_as_they_are() -> None:
    from archon.management.commands.export_schema import exported

    written = re.search(r"^// digest: (\w+)$", (DASHBOARD / "src/services/schema.ts").read_text(), re.MULTILINE)
    assert written is not None
    assert written[1] == exported()["digest"], "the API changed: run `make types`, which also builds dist/ anew"


def test_crawled_text_never_becomes_markup() -> None:
    guilty = [
        path for path in source_paths() if "dangerouslySetInnerHTML" in (DASHBOARD / path).read_text("utf8", "replace")
    ]
    assert guilty == []


def test_the_lock_file_names_no_registry() -> None:
    packages = json.loads((DASHBOARD / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_every_dependency_is_pinned() -> None:
    package = json.loads((DASHBOARD / "package.json").read_text())
    versions = package["dependencies"] | package["devDependencies"]
    assert [name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
