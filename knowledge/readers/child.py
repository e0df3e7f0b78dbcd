"""The child: one file on standard input, what is said of it on standard output, one line of JSON each.

It limits itself before it touches the file. The parent bounds the time and the output, and gives it an environment
without secrets.
"""

from __future__ import annotations

import gc
import json
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import PurePosixPath
from typing import IO, Any, Protocol

from knowledge.readers.archives import Entry, tar_entries, zip_entries, zip_names
from knowledge.readers.parts import Expected, Left, Limits, Part, Said, Unreadable, encode
from knowledge.readers.pdf import read_pdf
from knowledge.readers.rst import markdown_of
from knowledge.readers.sniff import EXTENSIONS, Format, extension_of, format_of

# Worth a word of their own, though they are not read.
_TELLING = EXTENSIONS | {"doc"}
_BUILD_FILES = frozenset({"cmakelists.txt", "robots.txt"})


class PageReader(Protocol):
    """What reads HTML and texts: crawler.extract, named in the settings, since it stands above this app."""

    def read_file(self, body: bytes, name: str, content_type: str) -> Any: ...


class Reading:
    """One file with all that is in it."""

    def __init__(
        self, pages: PageReader, limits: Limits, *, under: str = "", strip: int = 0, extensions: Sequence[str] = ()
    ) -> None:
        self.pages = pages
        self.limits = limits
        self.under = under
        self.strip = strip
        self.extensions = frozenset(extensions) or _TELLING

    def read(self, file: IO[bytes], name: str) -> Iterator[Said]:
        try:
            kind = format_of(file, name)
            if kind is Format.ZIP:
                yield Expected(sum(map(self._is_wanted, zip_names(file, name, self.limits))))
                yield from self._packed(name, zip_entries(file, name, self.limits))
            elif kind is Format.TAR_GZ:
                yield from self._packed(name, tar_entries(file, name, self.limits, strip=self.strip))
            else:
                yield Expected(1)
                yield from self._parts(file, name, kind)
        except Unreadable as error:
            yield error.about(name)

    def _packed(self, name: str, entries: Iterator[Entry]) -> Iterator[Said]:
        left = found = 0
        for entry in entries:
            if self._is_wanted(entry.name):
                found += 1
                yield from self._entry(entry)
            else:
                left += not _is_hidden(entry.name)
        if left:
            yield Left(left)
        if not found:
            raise Unreadable("archive_without_documents", f"{name} holds no document.", hint=_PACK)

    def _is_wanted(self, path: str) -> bool:
        name = PurePosixPath(path).name.lower()
        return (
            path.startswith(self.under)
            and not _is_hidden(path)
            and (extension_of(name) in self.extensions or name == "readme")
            and not (name in _BUILD_FILES or name.startswith(("requirements", "constraints")))
        )

    def _entry(self, entry: Entry) -> Iterator[Said]:
        give_time(self.limits)
        try:
            content = entry.content()
            kind = format_of(content, entry.name)
            if kind in (Format.ZIP, Format.TAR_GZ):
                raise Unreadable("archive_nested", f"{entry.name} is an archive within an archive.", hint=_PACK)
            for part in self._parts(content, entry.name, kind):
                yield replace(part, size=entry.size)
        except Unreadable as error:
            yield error.about(entry.name)
        except MemoryError:
            yield out_of_memory(entry.name, self.limits)

    def _parts(self, file: IO[bytes], name: str, kind: Format) -> Iterator[Part]:
        if kind is Format.PDF:
            yield from read_pdf(file, name)
        elif kind is Format.DOCX:
            from knowledge.readers.word import read_word

            yield read_word(file, name, self.limits)
        else:
            yield self._text(file.read(), name, kind)

    def _text(self, body: bytes, name: str, kind: Format) -> Part:
        read = self.pages.read_file(body, name, kind.value)
        markdown = markdown_of(read.markdown) if kind is Format.RST else read.markdown
        if kind is Format.RST:
            read = self.pages.read_file(markdown.encode(), name, Format.MARKDOWN.value)
        if not markdown.strip():
            raise Unreadable("file_without_text", f"{name} has no text.", hint="Upload a file that has text.")
        headings = tuple((heading.level, heading.text, heading.anchor) for heading in read.headings)
        return Part(name, "", read.title, markdown, headings, kind.value, len(body))


_PACK = "Pack PDF, DOCX, Markdown, text, reStructuredText or HTML files, without a further archive around them."


def _is_hidden(path: str) -> bool:
    """What an operating system or a version control keeps for itself."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(path).parts)


def restrict(limits: Limits) -> None:
    """Memory, processor time, no file written, nothing forked."""
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    give_time(limits)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGXCPU, _out_of_time)


def give_time(limits: Limits) -> None:
    """Processor time for the next file. The soft limit interrupts it, the hard one is the kernel's."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = min(limits.cpu_total, int(used.ru_utime + used.ru_stime) + 1 + limits.cpu_seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, limits.cpu_total + 5))


def _out_of_time(signum: int, frame: object) -> None:
    raise Unreadable("file_too_complex", "A file takes too much time to read.", hint=SPLIT)


def main() -> None:
    spec = json.loads(sys.argv[1])
    limits, name = Limits(**spec["limits"]), spec["name"]
    restrict(limits)
    reading = Reading(import_module(spec["pages"]), limits, **spec["selection"])
    try:
        for said in reading.read(sys.stdin.buffer, name):
            sys.stdout.buffer.write(encode(said))
            sys.stdout.buffer.flush()
    except MemoryError:
        gc.collect()
        sys.stdout.buffer.write(encode(out_of_memory(name, limits)))
    except Unreadable as error:
        sys.stdout.buffer.write(encode(error.about(name)))
    except Exception as error:  # the outer edge: a parser that breaks on a file says so of this file
        broken = Unreadable("file_broken", f"{name} could not be read: {type(error).__name__}: {error}"[:500])
        sys.stdout.buffer.write(encode(broken.about(name)))
    sys.stdout.buffer.flush()


def out_of_memory(name: str, limits: Limits) -> Said:
    return Unreadable(
        "file_too_complex", f"{name} takes more than {limits.memory // 2**20} MiB of memory to read.", hint=SPLIT
    ).about(name)


SPLIT = "Split it, and upload the pieces."


if __name__ == "__main__":
    main()
