"""DOCX into Markdown: headings, lists, tables, links and listings; what is only looks is left out."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from knowledge.readers.archives import check_zip
from knowledge.readers.parts import Limits, Part, Unreadable
from knowledge.readers.sniff import Format

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_LISTING = re.compile(r"code|source|preformatted", re.IGNORECASE)
_BROKEN = "Open it in Word and save it again."


def read_word(file: IO[bytes], name: str, limits: Limits) -> Part:
    from docx import Document
    from docx.opc.exceptions import PackageNotFoundError

    _check(file, name, limits)
    try:
        document = Document(file)
        lines = list(_blocks(document))
    except (PackageNotFoundError, KeyError, ValueError, AttributeError, zipfile.BadZipFile, SyntaxError) as error:
        # lxml's XMLSyntaxError is a SyntaxError
        raise Unreadable("file_broken", f"{name} is no valid Word document: {error}", hint=_BROKEN) from None
    markdown = "\n\n".join(lines).strip() + "\n"
    if not markdown.strip():
        raise Unreadable("file_without_text", f"{name} has no text.", hint="Its text may be in pictures.")
    headings = tuple((len(mark), text, "") for mark, text in re.findall(r"^(#{1,6}) (.+)$", markdown, re.MULTILINE))
    title = (document.core_properties.title or "").strip() or next((text for _, text, _ in headings), "")
    return Part(name, "", title or PurePosixPath(name).stem, markdown, headings, Format.DOCX.value)


def _check(file: IO[bytes], name: str, limits: Limits) -> None:
    """No bomb among its parts, and no entities in their XML: python-docx reads them with lxml."""
    with zipfile.ZipFile(file) as archive:
        check_zip(archive, name, limits)
        for entry in archive.infolist():
            if entry.filename.endswith((".xml", ".rels")):
                with archive.open(entry) as part:
                    _check_xml(part, name)
    file.seek(0)


def _check_xml(part: IO[bytes], name: str) -> None:
    try:
        for _, element in iterparse(part, forbid_dtd=True):
            element.clear()
    except DefusedXmlException:
        raise Unreadable("file_unsafe", f"{name} declares XML entities.", hint=_BROKEN) from None
    except (ParseError, zipfile.BadZipFile, EOFError) as error:
        raise Unreadable("file_broken", f"{name} is damaged: {error}.", hint=_BROKEN) from None


def _blocks(document: Any) -> Iterator[str]:
    from docx.table import Table

    listing: list[str] = []
    for block in document.iter_inner_content():
        style = "" if isinstance(block, Table) else str(getattr(block.style, "name", "") or "")
        if _LISTING.search(style):
            listing.append(block.text)
            continue
        if listing:
            yield _fenced(listing)
            listing = []
        text = _table(block) if isinstance(block, Table) else _paragraph(block, style)
        if text.strip():
            yield text
    if listing:
        yield _fenced(listing)


def _fenced(lines: list[str]) -> str:
    return "\n".join(("```", *lines, "```"))


def _paragraph(paragraph: Any, style: str) -> str:
    text = "".join(_inline(part) for part in paragraph.iter_inner_content()).strip()
    if not text:
        return ""
    heading = _HEADING.match(style)
    if heading or style == "Title":
        return f"{'#' * min(6, int(heading[1]) if heading else 1)} {' '.join(text.split())}"
    if style.startswith("List Number"):
        return f"1. {text}"
    if style.startswith("List") or (paragraph._p.pPr is not None and paragraph._p.pPr.numPr is not None):
        return f"- {text}"
    return text


def _inline(part: Any) -> str:
    address = getattr(part, "address", "")
    text = str(part.text)
    return f"[{text}]({address})" if address.startswith(("http://", "https://")) and text.strip() else text


def _table(table: Any) -> str:
    rows = [[" ".join(cell.text.split()).replace("|", "\\|") for cell in row.cells] for row in table.rows]
    if not rows or not rows[0]:
        return ""
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join((head, f"|{' --- |' * len(rows[0])}", *rest))
