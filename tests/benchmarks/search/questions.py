"""Questions with known answers, made from the structure of the Python documentation; nobody chose them by hand.

    python -m tests.benchmarks.search.questions > questions.json && python manage.py eval questions.json

Three kinds: the synopsis of a module leads to its page, a phrase of the index to the page it names, a term
of the glossary to the glossary or to a page that its definition links to. Crawl without `**/genindex*` and
`**/py-modindex*`: those pages hold the questions themselves.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict

from selectolax.lexbor import LexborHTMLParser, LexborNode

from tests.benchmarks.sites import SITES

GLOSSARY = "glossary.html"
# Anchors of index entries that stand for a phrase; the others are names of functions and classes.
_PHRASE_ANCHOR = re.compile(r"^[\w./-]+\.html#index-\d+$")
_PHRASE = re.compile(r"^[A-Za-z][a-z]+(?: [A-Za-z][a-z]+){1,4}$")
_MARKUP = re.compile(r":\w+:(?=`)|`")
# The change log and the lists of what is new mention everything.
_NEWS = ("whatsnew/",)


class Question(TypedDict):
    query: str
    expected: list[str]


class Kinds(NamedTuple):
    synopses: list[Question]
    phrases: list[Question]
    terms: list[Question]

    def all(self) -> list[Question]:
        return [*self.synopses, *self.phrases, *self.terms]


def questions(folder: Path) -> Kinds:
    """From the built HTML of the Python documentation. The same files give the same questions in the same order."""
    return Kinds(list(_synopses(folder)), list(_phrases(folder)), list(_terms(folder)))


def _synopses(folder: Path) -> Iterator[Question]:
    for row in _parsed(folder / "py-modindex.html").css("tr"):
        link, synopsis = row.css_first("a[href*='#module-']"), row.css_first("em")
        if link is None or synopsis is None or not (words := _words(synopsis)):
            continue
        yield Question(query=words, expected=[_page(link)])


def _phrases(folder: Path) -> Iterator[Question]:
    """Phrases that lead to one page only; a heading of the index without a page of its own leads nowhere."""
    pages: defaultdict[str, set[str]] = defaultdict(set)
    for file in sorted(folder.glob("genindex-?.html")):
        for link in _parsed(file).css("table.indextable > tr > td > ul > li > a, table.indextable ul > li > a"):
            target = link.attributes.get("href") or ""
            if _PHRASE_ANCHOR.match(target) and _PHRASE.match(_words(link)) and not target.startswith(_NEWS):
                pages[_words(link)].add(_page(link))
    for phrase, found in sorted(pages.items()):
        if len(found) == 1:
            yield Question(query=phrase, expected=sorted(found))


def _terms(folder: Path) -> Iterator[Question]:
    for term in _parsed(folder / GLOSSARY).css("dl.glossary > dt"):
        definition = term.next
        while definition is not None and definition.tag in ("-text", "dt"):
            definition = definition.next
        name = _words(term).rstrip("¶").strip()
        if definition is None or definition.tag != "dd" or not re.search(r"[A-Za-z]{2}", name):
            continue
        links = {_page(link) for link in definition.css("a.reference.internal") if _leads_elsewhere(link)}
        yield Question(query=f"What is {name}?", expected=[GLOSSARY, *sorted(links)])


def _leads_elsewhere(link: LexborNode) -> bool:
    target = link.attributes.get("href") or ""
    return ".html" in target and not target.startswith((GLOSSARY, "#", *_NEWS))


def _page(link: LexborNode) -> str:
    return (link.attributes.get("href") or "").partition("#")[0]


def _words(node: LexborNode) -> str:
    """Without the markup that some synopses still have: ``x``, :pep:`3119`."""
    return _MARKUP.sub("", " ".join(node.text().split()))


def _parsed(file: Path) -> LexborHTMLParser:
    return LexborHTMLParser(file.read_text(encoding="utf-8"))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SITES["python"].folder()
    json.dump(questions(folder).all(), sys.stdout, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    main()
