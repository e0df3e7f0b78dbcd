"""Small documents of every kind, good and bad, made here so that each byte is known."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from docx import Document
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

MARKDOWN = b"# Handbook\n\nThe word is lighthouse0001.\n\n## Install\n\nRun `archon up`.\n"
HTML = b"<!DOCTYPE html><title>Page</title><main><h1 id=top>Page</h1><p>The word is lighthouse0002.</p></main>"
RST = b"Manual\n======\n\nThe word is lighthouse0003::\n\n    listing()\n\nNext\n----\n\nText.\n"
TEXT = b"Plain words, and the word is lighthouse0004.\n"
LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'


def pdf(pages: Sequence[str], *, password: str = "", title: str = "") -> bytes:
    """A page with no text is what a scanner makes, as far as a reader can tell."""
    writer = PdfWriter()
    font = DictionaryObject({
        NameObject("/Type"): NameObject("/Font"),
        NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
    })  # fmt: skip
    for text in pages:
        page = writer.add_blank_page(612, 792)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = DecodedStreamObject()
        stream.set_data(b"".join(b"BT /F1 12 Tf 50 %d Td (%s) Tj ET\n" % (750 - 15 * n, line.encode())
                                 for n, line in enumerate(text.splitlines())))  # fmt: skip
        page[NameObject("/Contents")] = writer._add_object(stream)
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password)
    return _written(writer)


def docx() -> bytes:
    document = Document()
    document.add_heading("Guide", 1)
    document.add_paragraph("The word is lighthouse0005.")
    document.add_heading("Steps", 2)
    document.add_paragraph("first", style="List Bullet")
    table = document.add_table(2, 2)
    for cell, text in zip((cell for row in table.rows for cell in row.cells), "abcd", strict=True):
        cell.text = text
    return _written(document)


def docx_with(entity: bytes) -> bytes:
    """The guide, with a declaration before its text."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(docx())) as old, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            body = old.read(entry)
            if entry.filename == "word/document.xml":
                body = body.replace(b"?>", b"?>" + entity, 1)
            new.writestr(entry.filename, body)
    return content.getvalue()


def zipped(
    files: Mapping[str, bytes], *, links: Mapping[str, str] | None = None, compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
        for name, target in (links or {}).items():
            link = zipfile.ZipInfo(name)
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, target)
    return content.getvalue()


def _written(document: Any) -> bytes:
    content = io.BytesIO()
    write = document.write if isinstance(document, PdfWriter) else document.save
    write(content)
    return content.getvalue()
