"""Which URLs belong to a crawl, and the reason when one does not."""

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from crawler.urls import host_and_port, path_and_query

Mode = Literal["path", "host", "domain"]

MAX_URL_CHARS = 2_000
MAX_QUERY_PARAMETERS = 8
MAX_SEGMENT_REPEATS = 3

# Never documentation pages; asking for them would only cost the site and us.
_SKIPPED = """
    7z aac apk ar atom avi avif bin bmp bz2 css csv deb dmg doc docx eot epub exe flac flv gif gz ico iso jar jpeg
    jpg js json m4a m4v map mid mjs mkv mobi mov mp3 mp4 mpeg mpg msi odp ods odt ogg ogv opus otf pkg png ppt
    pptx ps rar rpm rss rtf svg swf tar tgz tif tiff ttf wasm wav webm webmanifest webp whl wmv woff woff2 xls xlsx
    xml xz zip zst
"""
SKIPPED_EXTENSIONS = frozenset(_SKIPPED.split())
# Placeholders of a template that was never filled in, as they look in a canonical URL.
_TEMPLATE_JUNK = re.compile(r"\{\{|%7B%7B|\$\{|\$%7B|<%|%3C%25|\[object%20object\]", re.IGNORECASE)
# The same text a second time: Sphinx links the source of every page, llms.txt the whole site as one file.
_SOURCE_COPY = re.compile(r"/_sources/[^?]*\.txt$|/llms-full[\w-]*\.txt$")
_SAME_PORTS = {80: 443}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is a machine word: ok, or why not."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Scope:
    """The seed's directory ("path"), its host and port ("host"), or its host and everything below ("domain").

    `include` and `exclude` are globs in which * stands for any run of characters, slashes too, and nothing else is
    special. Each is compared with the path, with the path and query, and with the whole URL.
    """

    seed: str
    mode: Mode = "path"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_depth: int = 10
    _host: str = field(init=False, repr=False, compare=False)
    _port: int = field(init=False, repr=False, compare=False)
    _directory: str = field(init=False, repr=False, compare=False)
    _include: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _exclude: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        host, port = host_and_port(self.seed)
        path, _ = path_and_query(self.seed)
        derived = {
            "_host": host,
            "_port": _SAME_PORTS.get(port, port),
            "_directory": path[: path.rfind("/") + 1],
            "_include": _globs(self.include),
            "_exclude": _globs(self.exclude),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def verdict(self, url: str, depth: int) -> Verdict:
        """Judge a canonical URL found `depth` links away from the seed. The seed itself always belongs."""
        reason = "ok" if url == self.seed else self._reason(url, depth)
        return OK if reason == "ok" else Verdict(False, reason)

    def _reason(self, url: str, depth: int) -> str:
        if len(url) > MAX_URL_CHARS:
            return "too_long"
        path, query = path_and_query(url)
        return (
            self._place_reason(url, path)
            or self._glob_reason(url, path, query)
            or _junk_reason(url, path, query)
            or ("too_deep" if depth > self.max_depth else "ok")
        )

    def _place_reason(self, url: str, path: str) -> str:
        host, port = host_and_port(url)
        if _SAME_PORTS.get(port, port) != self._port or not self._covers(host):
            return "other_host"
        if self.mode == "path" and not path.startswith(self._directory):
            return "outside_path"
        return ""

    def _covers(self, host: str) -> bool:
        if host == self._host:
            return True
        return self.mode == "domain" and _is_below(host, self._host.removeprefix("www."))

    def _glob_reason(self, url: str, path: str, query: str) -> str:
        spellings = (path, f"{path}?{query}", url) if query else (path, url)
        if self._exclude is not None and any(map(self._exclude.match, spellings)):
            return "excluded"
        if self._include is not None and not any(map(self._include.match, spellings)):
            return "not_included"
        return ""

    def to_json(self) -> dict[str, Any]:
        """A value for a JSON column; from_json reads it back."""
        return {
            "seed": self.seed,
            "mode": self.mode,
            "include": list(self.include),
            "exclude": list(self.exclude),
            "max_depth": self.max_depth,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(
            seed=stored["seed"],
            mode=stored["mode"],
            include=tuple(stored["include"]),
            exclude=tuple(stored["exclude"]),
            max_depth=stored["max_depth"],
        )


OK = Verdict(True, "ok")


def query_family(url: str) -> str:
    """The URL with the values of its parameters left out: the pages of one calendar or one faceted list share it.

    The frontier counts pages per family, so that a trap ends at its budget.
    """
    path, query = path_and_query(url)
    names = sorted({part.partition("=")[0] for part in query.split("&")}) if query else []
    host, port = host_and_port(url)
    return f"{host}:{port}{path}" + (f"?{'&'.join(names)}" if names else "")


def _junk_reason(url: str, path: str, query: str) -> str:
    if _TEMPLATE_JUNK.search(url):
        return "template_junk"
    if _extension(path) in SKIPPED_EXTENSIONS:
        return "file_type"
    if _SOURCE_COPY.search(path):
        return "source_copy"
    if query.count("&") >= MAX_QUERY_PARAMETERS:
        return "query_variants"
    if _repeats(path):
        return "repeating_path"
    return ""


def _extension(path: str) -> str:
    name = path[path.rfind("/") + 1 :]
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem else ""


def _repeats(path: str) -> bool:
    """Relative links that resolve one level deeper on every page: /a/b/a/b/a/b/a/b."""
    segments = [segment for segment in path.split("/") if segment]
    return len(segments) > MAX_SEGMENT_REPEATS and any(
        segments.count(segment) > MAX_SEGMENT_REPEATS for segment in set(segments)
    )


def _is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _globs(patterns: Iterable[str]) -> re.Pattern[str] | None:
    translated = [fnmatch.translate(_star_only(pattern)) for pattern in patterns if pattern.strip()]
    return re.compile("|".join(translated)) if translated else None


def _star_only(pattern: str) -> str:
    # fnmatch compiles stars to atomic groups, so a hostile pattern costs no backtracking; its other wildcards would
    # surprise in a URL, where ? begins the query and [ ] are ordinary characters.
    return re.sub(r"[\[?]", lambda match: f"[{match[0]}]", pattern.strip())
