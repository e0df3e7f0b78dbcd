from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.search.words import LEXEME_CHARS, QUERY_LEXEMES, _stem, all_forms, forms_of, indexed_text, question
from tests.cpu import cpu_seconds

MEGABYTE = 1_000_000


def lexemes(text: str) -> set[str]:
    return set(all_forms(text).split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("useEffect", {"useeffect", "use", "effect"}),
        ("asyncio.run()", {"asyncio.run", "asyncio", "run"}),
        ("dict.setdefault", {"dict.setdefault", "dict", "setdefault"}),
        ("--no-cache", {"--no-cache", "no-cache", "no", "cach"}),
        ("__init__", {"__init__", "init"}),
        ("object.__init__", {"object.__init__", "object", "__init__", "init"}),
        (r"max\_depth", {"max_depth", "max", "depth"}),
        ("HTTPServer", {"httpserver", "http", "server"}),
        ("std::vector", {"std::vector", "std", "vector"}),
        ("C++", {"c++", "c"}),
        ("C#", {"c#", "c"}),
        (".env", {".env", "env"}),
        ("@app.route", {"@app.route", "app.route", "app", "rout"}),
        ("Café", {"cafe"}),
        ("running runs", {"run"}),
        ("[docs](https://example.com/very/long)", {"doc"}),
    ],
)
def test_words_of_documentation_are_indexed_whole_and_by_part(text: str, expected: set[str]) -> None:
    assert lexemes(text) == expected


def test_scripts_without_spaces_are_indexed_by_pair_and_by_character() -> None:
    assert {"使い", "い方", "使", "方", "python"} <= lexemes("Pythonの使い方")


def test_letters_keep_their_combining_marks() -> None:
    assert lexemes("हिन्दी") == {"हिन्दी"}


def test_a_word_too_long_to_be_asked_for_is_not_indexed_whole() -> None:
    assert all(len(lexeme) <= LEXEME_CHARS for lexeme in lexemes("a.b" * 10_000 + " " + "x" * 5_000))


def test_stop_words_count_only_in_short_questions() -> None:
    assert question("how do I sort a list").lexemes == ("sort", "list")
    assert question("with statement").lexemes == ("with", "statement")
    assert question("what is it").lexemes == ("what", "is", "it")


def test_a_long_question_is_cut_at_some_lexemes() -> None:
    assert len(question(" ".join(f"word{n}x" for n in range(5_000))).lexemes) <= QUERY_LEXEMES


@pytest.mark.parametrize("text", ["", "   ", "?!", "\0", "🦜🦜", "()\"'*", "--"])
def test_text_without_words_is_an_empty_question(text: str) -> None:
    assert question(text).lexemes == ()


@given(st.text())
def test_lexemes_never_hold_what_a_database_would_read_as_syntax(text: str) -> None:
    asked = question(text)
    for lexeme in (*asked.lexemes, *all_forms(text).split(" ")):
        assert not set(lexeme) & set("'\"\\ \0\n")


@given(st.text(alphabet=st.sampled_from("abAB_.-19é猫の "), min_size=1, max_size=60))
def test_what_is_asked_is_indexed(text: str) -> None:
    indexed = indexed_text("", "", text)
    found = set(f"{indexed.body} {indexed.parts}".split())
    for word in question(text).words:
        assert set(word.whole) <= found
        assert set(word.pieces) <= found


@pytest.mark.parametrize("unit", ["a.", "a_", "aA", "a-", "--a", "猫", "\\_", "](http://x", "x1"])
def test_a_hostile_megabyte_costs_no_more_than_some_of_plain_words(unit: str, plain_megabyte: float) -> None:
    """Measured: at most 1.3 times as much. What grows with the square of its length would be thousands of times."""
    hostile = unit * (MEGABYTE // len(unit))
    assert cpu_seconds(lambda: indexed_text("", "", hostile)) < 10 * plain_megabyte


@pytest.fixture(scope="module")
def plain_megabyte() -> float:
    """The processor's seconds for a megabyte of words that are all different."""
    letters = str.maketrans("0123456789", "abcdefghij")
    words = " ".join(f"plain{n:06}".translate(letters) for n in range(MEGABYTE // 12))
    return cpu_seconds(lambda: indexed_text("", "", words))


def test_threads_do_not_mix_up_their_words() -> None:
    _stem.cache_clear()
    words = [f"running{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}ing" for n in range(600)]
    expected = {word: forms_of(word) for word in words}
    _stem.cache_clear()
    wrong: list[str] = []

    def check() -> None:
        wrong.extend(word for word in words if forms_of(word) != expected[word])
        wrong.extend(word for word in words if indexed_text("", "", word).body != expected[word].whole[0])

    threads = [threading.Thread(target=check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
