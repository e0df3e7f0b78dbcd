"""Scores of the search on somebody's questions, against figures worked out by hand."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from knowledge.errors import BadQuery, UnknownSource
from knowledge.search import search
from knowledge.search.evaluation import EvalQuestion, evaluate, ndcg, read_questions
from progress.viewer import OPERATOR
from tests.knowledge.pages import page, source, store


@pytest.fixture
def library(db: None) -> str:
    item = source()
    store(
        item,
        page("guide/tasks.html", "# Tasks\n\nA task wraps a coroutine. A task runs soon.", "Tasks"),
        page("guide/runners.html", "# Runners\n\nA runner executes a coroutine and ends every task.", "Runners"),
        page("guide/apples.html", "# Apples\n\nApples grow on trees.", "Apples"),
    )
    return item.source_id


def test_the_figures_are_those_of_the_ranking(library: str) -> None:
    questions = [
        EvalQuestion("task", ("guide/tasks.html",)),
        EvalQuestion("task", ("guide/runners.html#top",)),
        EvalQuestion("apples", ("https://docs.example.com/guide/apples.html/", "guide/missing.html"), library),
        EvalQuestion("trees", ("ees.html",)),
    ]
    found = evaluate(questions, ["keyword"], viewer=OPERATOR)
    assert [rank["keyword"] for rank in found.ranks] == [1, 2, 1, None]
    (score,) = found.modes
    assert (score.hit_at_1, score.hit_at_5, score.hit_at_10) == (0.5, 0.75, 0.75)
    assert score.mrr == pytest.approx((1 + 1 / 2 + 1) / 4)
    half = 1 / math.log2(3)
    assert score.ndcg_at_10 == pytest.approx((1 + half + 1 / (1 + half) + 0) / 4, abs=1e-4)
    assert (score.answered_as, score.unavailable) == ((), "")


def test_ndcg_is_one_for_the_best_order_and_less_for_any_other() -> None:
    assert ndcg([1, 2], 2) == 1
    assert ndcg(range(1, 11), 40) == pytest.approx(1)
    assert ndcg([2, 3], 2) == pytest.approx((1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3)))
    assert ndcg([], 3) == 0


def test_an_end_of_a_url_that_fits_two_pages_is_one_hit(db: None) -> None:
    store(source(), page("a/x.html", "# Walrus\n\nwalrus", "W"), page("b/x.html", "# Walrus\n\nwalrus too", "W"))
    (score,) = evaluate([EvalQuestion("walrus", ("x.html",))], ["keyword"], viewer=OPERATOR).modes
    assert (score.mrr, score.ndcg_at_10) == (1, 1)


def test_a_mode_that_cannot_search_says_why_and_the_others_keep_their_figures(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_vectors(query: Any) -> Any:
        if query.mode == "vector":
            raise BadQuery("There are no vectors.", code="mode_unavailable", field="mode")
        return search(query)

    monkeypatch.setattr("knowledge.search.evaluation.search", without_vectors)
    keyword, vector = evaluate([EvalQuestion("apples", ("apples.html",))], ["keyword", "vector"], viewer=OPERATOR).modes
    assert (keyword.mrr, vector.unavailable) == (1, "There are no vectors.")


def test_a_source_that_is_not_there_is_told(library: str) -> None:
    with pytest.raises(UnknownSource):
        evaluate([EvalQuestion("task", ("x",), "nowhere")], ["keyword"], viewer=OPERATOR)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (None, "questions"),
        ([], "questions"),
        ({"questions": "task"}, "questions"),
        (["task"], "questions[0]"),
        ([{"query": "task", "expected": ["x"]}, {"expected": ["x"]}], "questions[1].query"),
        ([{"query": 7, "expected": ["x"]}], "questions[0].query"),
        ([{"query": "task"}], "questions[0].expected"),
        ([{"query": "task", "expected": [7]}], "questions[0].expected"),
        ([{"query": "task", "expected": {"a": 1}}], "questions[0].expected"),
        ([{"query": "task", "expected": "x", "source": 7}], "questions[0].source"),
        ([{"query": "task", "expected": "x", "expects": "y"}], "questions[0].expects"),
        ([{"query": "t", "expected": "x"}] * 2_001, "questions"),
    ],
)
def test_a_bad_file_is_refused_with_the_place_in_it(value: Any, field: str) -> None:
    with pytest.raises(BadQuery) as raised:
        read_questions(value)
    assert (raised.value.code, raised.value.field) == ("eval_bad", field)
    assert raised.value.hint


def run(*words: str) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    try:
        call_command("eval", *words, stdout=out, stderr=io.StringIO())
    except SystemExit as ended:
        return int(ended.code or 0), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def test_the_command_reads_yaml_and_answers_a_pipe_with_json(library: str, tmp_path: Path) -> None:
    file = tmp_path / "questions.yaml"
    file.write_text("- query: apples\n  expected: apples.html\n")
    code, body = run(str(file), "--mode", "keyword")
    assert (code, body["modes"][0]["mrr"], body["ranks"]) == (0, 1.0, [{"keyword": 1}])


@pytest.mark.parametrize("content", [b"- [", b"\xff\xfe\x00", b"!!python/object/apply:os.getcwd []", None])
def test_the_command_refuses_what_it_cannot_read(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "questions.yaml"
    if content is not None:
        file.write_bytes(content)
    code, body = run(str(file))
    assert (code, body["detail"]["code"], body["detail"]["field"]) == (1, "eval_bad", "file")


def post(client: Client, body: Any) -> tuple[int, Any]:
    response = client.post("/api/rag/eval", body, content_type="application/json")
    return response.status_code, response.json()


def test_rest_gives_the_figures_of_the_command(library: str, client: Client) -> None:
    questions = [{"query": "apples", "expected": "apples.html"}, {"query": "task", "expected": ["guide/runners.html"]}]
    status, body = post(client, {"questions": questions, "modes": ["keyword", "keyword"]})
    assert (status, body["ranks"]) == (200, [{"keyword": 1}, {"keyword": 2}])
    (score,) = body["modes"]
    assert (score["hit_at_1"], score["mrr"], score["answered_as"]) == (0.5, 0.75, [])
    status, body = post(client, {"questions": questions, "modes": ["vector"]})
    assert (status, body["modes"][0]["answered_as"]) == (200, ["keyword"])


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"questions": []}, 422, "questions"),
        ({"questions": [{"query": "t", "expected": "x"}] * 201}, 422, "questions"),
        ({"modes": ["fuzzy"]}, 422, "modes"),
        ({"modes": []}, 422, "modes"),
        ({"questions": [{"query": " ", "expected": "x"}]}, 422, "questions[0].query"),
        ({"questions": [{"query": "\0", "expected": "x"}]}, 422, "query"),
        ({"questions": [{"query": "t", "expected": []}]}, 422, "questions[0].expected"),
        ({"questions": [{"query": "t", "expected": "x", "expects": "y"}]}, 422, "expects"),
        ({"questions": [{"query": "t", "expected": "x", "source": "nowhere"}]}, 404, "source"),
    ],
)
def test_rest_names_what_cannot_be_scored(
    library: str, client: Client, change: dict[str, Any], status: int, field: str
) -> None:
    found, body = post(client, {"questions": [{"query": "t", "expected": "x"}], **change})
    assert found == status, body
    assert field in body["detail"]["field"], body
