"""One of a thing is told as one, wherever a sentence counts."""

from __future__ import annotations

import re

import pytest

from progress.plural import plural, sizes
from tests.stack import ROOT

APPS = ("archon", "crawler", "knowledge", "progress")
# A counted word straight behind a value that is no constant (`{MAX_FILES} files` is always many).
COUNTED = re.compile(
    r"\{(?![A-Z_]+[:}]|20 \* limits)[^{}]+\} (?:failed )?(?:pages|chunks|files|words|documents|sections|vectors|crawls"
    r"|sources|tokens|code examples|links|entries|variants|minutes|lines|questions|requests|migrations)\b(?!/)"
)
# Where one cannot stand: more than a limit, or the other branch of a condition.
NEVER_ONE = ("at most", " == 1 else ")


@pytest.mark.parametrize(("count", "told"), [(0, "0 pages"), (1, "1 page"), (2, "2 pages"), (1_200, "1,200 pages")])
def test_a_count_stands_with_its_word(count: int, told: str) -> None:
    assert plural(count, "page") == told


def test_a_word_of_its_own_and_several_counts() -> None:
    assert (plural(1, "entry", "entries"), plural(3, "entry", "entries")) == ("1 entry", "3 entries")
    assert sizes(page=1, code_example=3) == "1 page, 3 code examples"


def test_no_sentence_of_the_product_counts_by_itself() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{number}": line.strip()
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if "migrations" not in path.parts and "node_modules" not in path.parts
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if COUNTED.search(line) and not any(words in line for words in NEVER_ONE)
    }
    assert not found
