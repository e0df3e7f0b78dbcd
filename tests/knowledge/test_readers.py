"""Reading files in the limited child: every kind that is read, and every way in which a file can be bad."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile

import pytest

from knowledge.readers import Expected, Left, Limits, Part, Said, Selection, Trouble, read
from knowledge.readers.rst import markdown_of
from tests.knowledge import documents
from tests.knowledge.documents import pdf, zipped

PAGES = "crawler.extract"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)


def said_of(content: bytes, name: str, limits: Limits | None = None, selection: Selection | None = None) -> list[Said]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return list(read(file, name, pages=PAGES, limits=limits, selection=selection))


def parts_of(content: bytes, name: str) -> list[Part]:
    return [said for said in said_of(content, name) if isinstance(said, Part)]


@pytest.mark.parametrize(
    ("content", "name", "title", "word"),
    [
        (documents.MARKDOWN, "handbook.md", "Handbook", "lighthouse0001"),
        (documents.HTML, "page.html", "Page", "lighthouse0002"),
        (documents.RST, "manual.rst", "Manual", "lighthouse0003"),
        (documents.TEXT, "notes.txt", "Plain words, and the word is lighthouse0004.", "lighthouse0004"),
        (documents.docx(), "guide.docx", "Guide", "lighthouse0005"),
        (pdf(["It says lighthouse0006."], title="The Book"), "book.pdf", "The Book", "lighthouse0006"),
        ("# Über\n\nlighthouse0007".encode("utf-16"), "utf16.txt", "Über", "lighthouse0007"),
        (documents.HTML, "page.txt", "Page", "lighthouse0002"),  # the bytes decide
    ],
)
def test_each_kind_is_read_with_its_title(content: bytes, name: str, title: str, word: str) -> None:
    (part,) = parts_of(content, name)
    assert (part.name, part.title) == (name, title)
    assert word in part.markdown


def test_a_page_of_a_pdf_is_a_heading_that_a_citation_can_lead_to() -> None:
    (part,) = parts_of(pdf(["First page.", "", "Third page."]), "book.pdf")
    assert part.headings == ((2, "Page 1", "page=1"), (2, "Page 3", "page=3"))
    assert "## Page 3\n\nThird page." in part.markdown


def test_a_large_pdf_is_cut_into_stretches_of_pages() -> None:
    many = pdf(["\n".join(f"Line {n} of page {page} " + "x" * 900 for n in range(60)) for page in range(12)])
    parts = parts_of(many, "large.pdf")
    assert [part.fragment for part in parts] == ["", "page=4", "page=7", "page=10"]
    assert parts[1].title == "large (pages 4-6)"


def test_a_word_document_keeps_headings_lists_and_tables() -> None:
    (part,) = parts_of(documents.docx(), "guide.docx")
    assert part.markdown == (
        "# Guide\n\nThe word is lighthouse0005.\n\n## Steps\n\n- first\n\n| a | b |\n| --- | --- |\n| c | d |\n"
    )
    assert part.headings == ((1, "Guide", ""), (2, "Steps", ""))


def test_restructured_text_becomes_markdown() -> None:
    text = (
        "=====\nTitle\n=====\n\nSee :ref:`the guide <guide>`, ``code`` and `home <https://a.example/>`_::\n\n"
        "    x = 1\n\n.. code-block:: python\n   :linenos:\n\n   y = 2\n\n.. toctree::\n   :hidden:\n\n   other\n\n"
        ".. note:: Mind this.\n\nPart\n----\n\nEnd.\n"
    )
    markdown = markdown_of(text)
    for expected in (
        "# Title",
        "See `the guide`, `code` and [home](https://a.example/):",
        "```\nx = 1\n```",
        "```python\ny = 2\n```",
        "**Note:** Mind this.",
        "## Part",
    ):
        assert expected in markdown
    assert "toctree" not in markdown
    assert "linenos" not in markdown


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (pdf(["Secret."], password="pw"), "locked.pdf", "file_encrypted"),
        (pdf(["", ""]), "scanned.pdf", "file_without_text"),
        (b"%PDF-1.7\nnothing of a PDF", "broken.pdf", "file_broken"),
        (documents.docx()[:900], "cut.docx", "file_broken"),
        (zipped({"word/document.xml": b"<w:x", "[Content_Types].xml": b"<x/>"}), "bad.docx", "file_broken"),
        (documents.docx_with(documents.LAUGHS), "laughs.docx", "file_unsafe"),
        (
            documents.docx_with(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
            "xxe.docx",
            "file_unsafe",
        ),
        (OLE, "old.doc", "file_type_unsupported"),
        (OLE, "locked.docx", "file_encrypted"),
        (b"", "empty.md", "file_empty"),
        (b" \n\t ", "blank.md", "file_empty"),
        (b"\x7fELF\x02\x01\x01\0\0", "program.md", "file_type_unsupported"),
        (b"just words", "letter.odt", "file_type_unsupported"),
        (zipped({"xl/workbook.xml": b"<x/>", "[Content_Types].xml": b"<x/>"}), "sheet.zip", "file_type_unsupported"),
        (zipped({"logo.png": b"\x89PNG"}), "pictures.zip", "archive_without_documents"),
        (zipped({"../../etc/cron.md": b"# x"}), "traversal.zip", "archive_unsafe"),
        (zipped({"/etc/cron.md": b"# x"}), "absolute.zip", "archive_unsafe"),
        (zipped({"..\\x.md": b"# x"}), "backslash.zip", "archive_unsafe"),
        (zipped({"a.md": b"# x"}, links={"passwd.md": "/etc/passwd"}), "link.zip", "archive_unsafe"),
        (zipped({"inner.zip": zipped({"a.md": b"# x"})}), "nested.zip", "archive_nested"),
        (zipped({"bomb.txt": b"a" * 20_000_000}), "bomb.zip", "archive_too_large"),
        (zipped({f"{n}.md": b"# x" for n in range(60)}), "many.zip", "archive_too_large"),
    ],
)
def test_a_bad_file_is_refused_with_a_word_a_sentence_and_a_remedy(content: bytes, name: str, code: str) -> None:
    (trouble,) = [said for said in said_of(content, name, Limits(entries=50)) if isinstance(said, Trouble)]
    assert trouble.code == code
    assert trouble.message.endswith((".", "page", "pages")) or ":" in trouble.message
    assert trouble.hint


def test_a_zip_that_lies_about_its_sizes_is_no_way_around_the_limits() -> None:
    honest = bytearray(zipped({"a.txt": b"lighthouse " * 400_000}))
    # The size in the table of contents; what comes out of the decompression is what counts.
    place = honest.rindex(b"PK\x01\x02") + 24
    honest[place : place + 4] = (1_000).to_bytes(4, "little")
    troubles = [said for said in said_of(bytes(honest), "liar.zip") if isinstance(said, Trouble)]
    assert [trouble.code for trouble in troubles] in (["archive_too_large"], ["file_broken"])


def test_the_documents_of_an_archive_are_read_and_the_rest_is_left() -> None:
    files = {
        "docs/handbook.md": documents.MARKDOWN,
        "docs/guide.docx": documents.docx(),
        "logo.png": b"\x89PNG",
        "locked.pdf": pdf(["x"], password="pw"),
        "__MACOSX/._handbook.md": b"\0",
        ".git/config": b"x",
        "README": b"Read this.",
    }
    said = said_of(zipped(files), "docs.zip")
    assert [one.name for one in said if isinstance(one, Part)] == ["docs/handbook.md", "docs/guide.docx", "README"]
    assert [one.name for one in said if isinstance(one, Trouble)] == ["locked.pdf"]
    assert Expected(4) in said
    assert Left(1) in said


def test_a_reader_that_takes_too_much_memory_or_time_is_stopped() -> None:
    hungry = zipped({"huge.txt": os.urandom(2**20).hex().encode() * 90}, compression=zipfile.ZIP_STORED)
    (trouble,) = [s for s in said_of(hungry, "hungry.zip", Limits(memory=380 * 2**20)) if isinstance(s, Trouble)]
    assert trouble.code == "file_too_complex"
    (late,) = said_of(documents.MARKDOWN, "late.md", Limits(seconds=0.0))
    assert isinstance(late, Trouble)
    assert late.code == "file_too_complex"


def test_a_file_that_burns_processor_time_costs_only_its_own() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("slow.md", "spin")
        archive.writestr("good.md", documents.MARKDOWN)
    with tempfile.TemporaryFile() as file:
        file.write(content.getvalue())
        file.seek(0)
        limits = Limits(cpu_seconds=1)
        said = list(read(file, "spin.zip", pages="tests.knowledge.spinning", limits=limits))
    assert [one.name for one in said if isinstance(one, Trouble)] == ["slow.md"]
    assert [one.name for one in said if isinstance(one, Part)] == ["good.md"]


def test_whoever_looks_can_end_the_reading() -> None:
    def look() -> None:
        raise InterruptedError

    with tempfile.TemporaryFile() as file, pytest.raises(InterruptedError):
        list(read(file, "a.md", pages=PAGES, look=look))
