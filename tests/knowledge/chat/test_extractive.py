"""The answer without a model: which sentences, whole code, honest silence."""

from __future__ import annotations

import pytest

from knowledge.chat.extractive import extract, sentences_of
from tests.knowledge.chat.test_citations import hit

RETRIES = hit(
    "The client was written in 2019. It retries a failed request three times by default. "
    "Set `max_retries` to change it:"
    "\n\n```python\nclient = Client(max_retries=5)\n\nclient.get('/')\n```\n\nSee [the reference](/ref) for more."
)
TIMEOUTS = hit("A request times out after ten seconds. Pass `timeout` to wait longer.", "Timeouts")
OTHERS = hit("Zebras graze in the savanna. They run fast.", "Animals")


def test_the_sentences_that_say_what_was_asked_are_quoted_and_cited() -> None:
    text = extract("How often does the client retry a failed request?", [RETRIES, TIMEOUTS, OTHERS])
    assert "It retries a failed request three times by default." in text
    assert "[1]" in text
    assert "Zebras" not in text
    assert "2019" not in text


def test_code_is_whole_and_stands_behind_its_sentence() -> None:
    text = extract("How do I set max_retries?", [RETRIES])
    sentence, code = (
        "Set `max_retries` to change it: [1]",
        "```python\nclient = Client(max_retries=5)\n\nclient.get('/')\n```",
    )
    assert f"{sentence}\n\n{code}" in text


@pytest.mark.parametrize("asked", ["Who paints the fence tonight?", "zebra stripes pattern genetics evolution"])
def test_passages_that_do_not_answer_are_not_made_to(asked: str) -> None:
    assert extract(asked, [TIMEOUTS, RETRIES]) == ""


def test_two_passages_are_cited_each_with_its_number() -> None:
    text = extract("retries and timeouts of a request", [RETRIES, TIMEOUTS])
    assert "[1]" in text
    assert "[2]" in text


def test_a_passage_in_sentences() -> None:
    found = sentences_of(
        0, "# Title\n\nOne. Two (e.g. three).\n\n- item one\n- item [two](/x)\n\n| a | b |\n|---|---|\n"
    )
    assert [sentence.text for sentence in found] == ["One.", "Two (e.g. three).", "item one", "item two"]


def test_code_alone_is_an_example() -> None:
    (found,) = sentences_of(0, "```\nx = 1\n```")
    assert (found.text, found.code) == ("An example:", "```\nx = 1\n```")


def test_a_quotation_is_read_as_what_it_quotes() -> None:
    (question, answer) = sentences_of(0, "**Slow?**\n\n> Use one transaction:\n> ```\n> > x\n> ```\n")
    assert (question.text, answer.text, answer.code) == ("**Slow?**", "Use one transaction:", "```\n> x\n```")
    (doctest,) = sentences_of(0, "Do:\n```\n> x\n>>> y\n```")
    assert doctest.code == "```\n> x\n>>> y\n```"


def test_what_points_back_gives_way_to_what_stands_alone() -> None:
    passage = hit("This option retries failed requests when it is set. Failed requests retries are an option to set.")
    text = extract("retries of failed requests option", [passage])
    assert text == "Failed requests retries are an option to set. [1]"
