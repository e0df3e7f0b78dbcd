"""PDF into Markdown: one heading per page, so that a citation leads to the page it is from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from pypdf import PdfReader
from pypdf.errors import FileNotDecryptedError, PyPdfError

from knowledge.readers.parts import Part, Unreadable
from knowledge.readers.sniff import Format
from progress.plural import plural

# A longer text is cut into stretches of pages, each a document of its own.
PART_CHARS = 200_000
MAX_PAGES = 5_000
_HYPHEN = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_MARKUP = re.compile(r"^(\s*)(#{1,6}\s|```|~~~)", re.MULTILINE)
_BROKEN = "Open it in a PDF viewer, print or save it as a new PDF, and upload that."


def read_pdf(file: IO[bytes], name: str) -> Iterator[Part]:
    try:
        reader = PdfReader(file)
        _decrypt(reader, name)
        count = len(reader.pages)
    except FileNotDecryptedError:
        raise _encrypted(name) from None
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Unreadable("file_broken", f"{name} is no valid PDF: {error}", hint=_BROKEN) from None
    if count > MAX_PAGES:
        raise Unreadable("file_too_large", f"{name} has {count:,} pages; at most {MAX_PAGES:,} are read.", hint=_SPLIT)
    texts = [_page_text(reader, number) for number in range(count)]
    pages = [(number, text) for number, text in enumerate(texts) if text and text.strip()]
    if not pages and None in texts:
        raise Unreadable("file_broken", f"{name} has no page that could be read.", hint=_BROKEN)
    if not pages:
        raise Unreadable(
            "file_without_text",
            f"{name} has no text: {plural(count, 'page is a picture', 'pages are pictures')}, as a scanner makes.",
            hint="Run it through text recognition (OCR) and upload the result.",
        )
    title = _title(reader) or PurePosixPath(name).stem
    for stretch in _stretches(pages):
        first = stretch[0][0] + 1
        yield _part(
            name, title, stretch, fragment="" if stretch is pages or first == pages[0][0] + 1 else f"page={first}"
        )


_SPLIT = "Split it and upload the pieces."


def _decrypt(reader: PdfReader, name: str) -> None:
    """Many PDFs are encrypted with an empty password, only to forbid printing."""
    if reader.is_encrypted and not reader.decrypt(""):
        raise _encrypted(name)


def _encrypted(name: str) -> Unreadable:
    return Unreadable(
        "file_encrypted",
        f"{name} is protected with a password.",
        hint="Remove the password (print it to a new PDF) and upload that.",
    )


def _page_text(reader: PdfReader, number: int) -> str | None:
    """None for a page that is damaged, or a bomb."""
    try:
        text = reader.pages[number].extract_text()
    except FileNotDecryptedError:
        raise
    except Exception:  # pypdf raises whatever a malformed page leads it into; the other pages are still worth reading
        return None
    return _MARKUP.sub(r"\1\\\2", _HYPHEN.sub("", text))


def _title(reader: PdfReader) -> str:
    """What the file calls itself, unless that is the name of the program's temporary file."""
    try:
        title = " ".join(str(reader.metadata.title or "").split()) if reader.metadata else ""
    except (PyPdfError, ValueError, AttributeError):
        return ""
    return "" if re.search(r"\.(docx?|tex|indd|qxd)$|^untitled", title, re.IGNORECASE) else title


def _stretches(pages: list[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    stretch: list[tuple[int, str]] = []
    chars = 0
    for page in pages:
        if stretch and chars + len(page[1]) > PART_CHARS:
            yield stretch
            stretch, chars = [], 0
        stretch.append(page)
        chars += len(page[1])
    yield stretch


def _part(name: str, title: str, pages: list[tuple[int, str]], *, fragment: str) -> Part:
    markdown = "\n\n".join(f"## Page {number + 1}\n\n{text.strip()}" for number, text in pages) + "\n"
    headings = tuple((2, f"Page {number + 1}", f"page={number + 1}") for number, _ in pages)
    named = f"{title} (pages {pages[0][0] + 1}-{pages[-1][0] + 1})" if fragment else title
    return Part(name, fragment, named, markdown, headings, Format.PDF.value)
