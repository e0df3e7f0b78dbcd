"""What a file is. Its bytes decide; the name only tells one kind of text from another."""

from __future__ import annotations

import zipfile
from enum import StrEnum
from pathlib import PurePosixPath
from typing import IO

from knowledge.readers.parts import Unreadable

HEAD_BYTES = 8_192
READ_HINT = "These are read: PDF, DOCX, Markdown, plain text, reStructuredText, HTML, and zip archives of them."


class Format(StrEnum):
    PDF = "application/pdf"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    MARKDOWN = "text/markdown"
    TEXT = "text/plain"
    RST = "text/x-rst"
    HTML = "text/html"
    ZIP = "application/zip"
    TAR_GZ = "application/gzip"


TEXTS = {
    **dict.fromkeys(("md", "markdown", "mdx", "mdown", "mkd"), Format.MARKDOWN),
    **dict.fromkeys(("txt", "text", "adoc", "asciidoc", "org"), Format.TEXT),
    **dict.fromkeys(("rst", "rest"), Format.RST),
    **dict.fromkeys(("html", "htm", "xhtml"), Format.HTML),
}
EXTENSIONS = frozenset({*TEXTS, "pdf", "docx", "zip"})
_WORD_PART = "word/document.xml"


def extension_of(name: str) -> str:
    return PurePosixPath(name).suffix.removeprefix(".").lower()


def format_of(file: IO[bytes], name: str) -> Format:
    """Raises Unreadable for a kind that is not read, whatever the name claims. The file is at its start afterwards."""
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return format_by_head(head, name) or _zip_format(file, name)


def format_by_head(head: bytes, name: str) -> Format | None:
    """By the first HEAD_BYTES alone: None for some zip archive, whose table of contents may be long to read."""
    if not head.strip(b"\0\t\r\n \xef\xbb\xbf"):
        raise Unreadable("file_empty", f"{name} is empty.", hint="Upload a file that has text.")
    if b"%PDF-" in head[:1_024]:
        return Format.PDF
    if head.startswith(b"PK\x03\x04"):
        return None
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        raise _old_office(name)
    if head.startswith(b"\x1f\x8b") and name.lower().endswith((".tar.gz", ".tgz")):
        return Format.TAR_GZ
    return _text_format(head, name)


def _zip_format(file: IO[bytes], name: str) -> Format:
    """A .docx is a zip archive too, and so is much that we do not read."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise Unreadable(
            "file_broken", f"{name} is a damaged archive: {error}.", hint="Save or download it again."
        ) from None
    finally:
        file.seek(0)
    if _WORD_PART in names:
        return Format.DOCX
    if extension_of(name) == "docx":
        raise Unreadable("file_broken", f"{name} holds no Word document.", hint="Open it in Word and save it again.")
    if "[Content_Types].xml" in names or "mimetype" in names or "META-INF/MANIFEST.MF" in names:
        raise _unsupported(name)
    return Format.ZIP


def _old_office(name: str) -> Unreadable:
    if extension_of(name) == "docx":
        return Unreadable(
            "file_encrypted",
            f"{name} is protected with a password.",
            hint="Open it in Word, remove the password, and upload it again.",
        )
    return Unreadable(
        "file_type_unsupported",
        f"{name} is in the old binary format of Microsoft Office.",
        hint="Save it as .docx or PDF and upload that.",
    )


def _text_format(head: bytes, name: str) -> Format:
    utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    if b"\0" in head and not utf16:
        raise _unsupported(name)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return Format.HTML
    found = TEXTS.get(extension_of(name))
    if found is None and PurePosixPath(name).name.upper() == "README":
        found = Format.TEXT
    if found is None:
        raise _unsupported(name)
    return found


def _unsupported(name: str) -> Unreadable:
    return Unreadable("file_type_unsupported", f"{name} is of a kind that cannot be read.", hint=READ_HINT)
