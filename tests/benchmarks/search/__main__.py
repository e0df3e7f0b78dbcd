"""`make bench-search`: how fast vectors come, how fast search is, how well it finds. Exits 1 when a goal is missed.

Parts, all of them unless some are named: `crawl` (POST to all vectors of the Python documentation), `scores` (its 662
questions by words, by meaning and by both), `weak` (how many of them, and of questions that nothing answers, are told
to have no good match), `code` (its examples alone, in the same ways, with questions from the
descriptions and names of functions; nothing is demanded of it), `load` (searches over REST at 20,000 and 200,000
chunks, SQLite and PostgreSQL), `precision` (the quantised model against the original).
ARGS="crawl scores code --pages 40" is quick, and so is ARGS="load --chunks 2000 --calls 50"; goals are of full size.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from tests.benchmarks.search.code import CodeScores, code_questions, scored_code, stored_code, wait_for_vectors
from tests.benchmarks.search.crawled import SITE, Crawled, crawled, scored, some
from tests.benchmarks.search.load import Load, loaded
from tests.benchmarks.search.questions import questions
from tests.benchmarks.search.unanswered import called_weak
from tests.benchmarks.sites import SiteMissing
from tests.environment import temporary_folder
from tests.stack import ROOT

PARTS = ("crawl", "scores", "weak", "code", "load", "precision")
OF_CRAWL = {"crawl", "scores", "weak", "code"}
VECTORS_SECONDS, FIRST_HIT_SECONDS = 180.0, 2.0
MOST_WEAK, LEAST_WEAK = 0.02, 0.9
FIGURES = ("hit_at_5", "mrr", "ndcg_at_10")
LEAST_SHARE = 0.98
# PostgreSQL is for the larger ones; the smaller goal is SQLite's.
LOADS = (("sqlite", 20_000), ("sqlite", 200_000), ("postgresql", 200_000))


class Verdict(NamedTuple):
    goal: str
    met: bool


def of_crawl(one: Crawled) -> Iterator[Verdict]:
    yield Verdict(f"all vectors {one.seconds:.0f} s after the POST, at most 180", one.seconds <= VECTORS_SECONDS)
    yield Verdict(f"found by its words after {one.first_hit:.2f} s, at most 2", one.first_hit <= FIRST_HIT_SECONDS)
    missing = one.chunks - one.embedded - one.link_lists
    yield Verdict(f"{missing} of {one.chunks:,} chunks wait for a vector or were refused", missing == 0 < one.embedded)


def of_scores(scores: dict[str, Any]) -> Iterator[Verdict]:
    """Best in every figure; a mode that was answered by another one is no comparison."""
    modes = {mode["mode"]: mode for mode in scores["modes"]}
    other = {name: mode["answered_as"] or mode["unavailable"] for name, mode in modes.items()}
    yield Verdict("every mode was answered by itself", not any(other.values()))
    for figure in FIGURES:
        best = max(modes[name][figure] for name in ("keyword", "vector"))
        hybrid = modes["hybrid"][figure]
        yield Verdict(f"{figure} of hybrid {hybrid:.3f}, of the better part {best:.3f}", hybrid >= best)


def of_weak(shares: dict[str, dict[str, float]]) -> Iterator[Verdict]:
    """Of the usual search. What is documented is seldom called weak, what is not nearly always."""
    hybrid = shares["hybrid"]
    for kind in ("documented", "in other words"):
        yield Verdict(f"{hybrid[kind]:.1%} of questions {kind} called weak, under 2%", hybrid[kind] < MOST_WEAK)
    for kind in ("everyday", "nonsense"):
        yield Verdict(f"{hybrid[kind]:.1%} of {kind} questions called weak, at least 90%", hybrid[kind] >= LEAST_WEAK)


def of_load(one: Load) -> Iterator[Verdict]:
    if (goal := one.goal) is not None:
        timing = one.timings["hybrid"]
        told = f"{one.database}, {one.chunks:,} chunks: hybrid p50 {timing.p50:.1f}, p99 {timing.p99:.1f} ms"
        yield Verdict(
            f"{told}, at most {goal.p50:.0f}/{goal.p99:.0f}", timing.p50 <= goal.p50 and timing.p99 <= goal.p99
        )


def of_precision(found: dict[str, Any]) -> Iterator[Verdict]:
    int8, fp32 = found["int8_ndcg_at_10"], found["fp32_ndcg_at_10"]
    yield Verdict(f"nDCG@10 of int8 {int8:.3f}, of fp32 {fp32:.3f}, at least 98%", int8 >= LEAST_SHARE * fp32 > 0)


def run_crawl(options: argparse.Namespace, console: Console) -> Iterator[tuple[str, Any, list[Verdict]]]:
    console.print("crawling the Python documentation, without its indexes ...")
    with crawled(options.pages) as (one, stack, pages):
        if "crawl" in options.parts:
            console.print(
                f"{one.pages} pages ({one.failed_pages} failed), {one.chunks:,} chunks: stored after "
                f"{one.stored_seconds:.1f} s, {one.embedded:,} vectors after {one.seconds:.1f} s",
                highlight=False,
            )
            yield "crawl", asdict(one), list(of_crawl(one))
        if "scores" in options.parts:
            scores = scored(stack, pages, options.questions)
            console.print(_scores_table(scores))
            yield "scores", scores, list(of_scores(scores))
        if "weak" in options.parts:
            shares = called_weak(stack.port)
            console.print(shares, highlight=False)
            yield "weak", shares, list(of_weak(shares))
        if "code" in options.parts:
            wait_for_vectors(stack)
            found = scored_code(stack.port, some(code_questions(SITE.folder(), stored_code(stack)), options.questions))
            console.print(_code_table(found))
            yield "code", [asdict(one) for one in found], []


def run_load(options: argparse.Namespace, console: Console) -> Iterator[tuple[str, Any, list[Verdict]]]:
    loads = [(name, chunks) for name in ("sqlite", "postgresql") for chunks in options.chunks] or LOADS
    known = [one["query"] for one in questions(SITE.folder()).all()]
    asked = (known * (1 + options.calls // len(known)))[: options.calls]
    for database, chunks in loads:
        console.print(f"filling {database} with {chunks:,} chunks ...", highlight=False)
        one = loaded(database, chunks, asked)
        console.print(_load_table(one))
        figures = {mode: {"p50": timing.p50, "p99": timing.p99} for mode, timing in one.timings.items()}
        told = {"filled_seconds": one.filled, "web_megabytes": one.memory, "milliseconds": figures}
        yield f"load {database} {one.chunks}", told, list(of_load(one))


def run_precision(options: argparse.Namespace, console: Console) -> Iterator[tuple[str, Any, list[Verdict]]]:
    console.print("embedding with int8 and with fp32 ...")
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.search.precision",
        str(options.sample),
        str(options.questions or 300),
    ]
    with temporary_folder() as folder:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "archon.settings", "ARCHON_DATA_DIR": str(folder)}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    console.print(found)
    yield "precision", found, list(of_precision(found))


def _scores_table(scores: dict[str, Any]) -> Table:
    table = Table(
        "", "Hit@1", "Hit@5", "MRR", "nDCG@10", "median ms", title=f"{scores['questions']} questions", box=None
    )
    for mode in scores["modes"]:
        figures = (f"{mode[name]:.3f}" for name in ("hit_at_1", *FIGURES))
        table.add_row(mode["mode"], *figures, f"{mode['median_ms']:.1f}")
    return table


def _code_table(scores: list[CodeScores]) -> Table:
    """Of modes that could not answer by themselves, too: then another one's name stands beside theirs."""
    head = ("", "Hit@1", "Hit@5", "MRR", "nDCG@10", "p50 ms", "p99 ms")
    table = Table(*head, title=f"{scores[0].questions} questions for code", box=None)
    for one in scores:
        figures = (f"{value:.3f}" for value in (one.hit_at_1, one.hit_at_5, one.mrr, one.ndcg_at_10))
        times = (f"{one.timing.p50:.1f}", f"{one.timing.p99:.1f}")
        table.add_row(" as ".join([one.mode, *one.answered_as]), *figures, *times)
    return table


def _load_table(one: Load) -> Table:
    title = f"{one.database}, {one.chunks:,} chunks, filled in {one.filled:.0f} s, web process {one.memory:.0f} MB"
    table = Table("", "p50 ms", "p99 ms", "max ms", title=title, box=None)
    for mode, timing in one.timings.items():
        table.add_row(mode, f"{timing.p50:.1f}", f"{timing.p99:.1f}", f"{max(timing.milliseconds):.1f}")
    return table


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-search", description=__doc__)
    parser.add_argument("parts", nargs="*", default=[], choices=[*PARTS, []], help="all of them when none is named")
    parser.add_argument("--pages", type=int, default=0, help="crawl only so many pages")
    parser.add_argument("--questions", type=int, default=0, help="ask only so many")
    parser.add_argument("--chunks", type=int, nargs="+", default=[], help="load: these sizes on both databases")
    parser.add_argument("--calls", type=int, default=400, help="load: searches per mode")
    parser.add_argument("--sample", type=int, default=3_000, help="precision: chunks to embed twice")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args(given)
    options.parts = options.parts or list(PARTS)
    return options


def main() -> int:
    options, console = arguments(), Console()
    figures: dict[str, Any] = {}
    verdicts: list[Verdict] = []
    runs = (OF_CRAWL, run_crawl), ({"load"}, run_load), ({"precision"}, run_precision)
    try:
        for parts, run in runs:
            for name, found, judged in run(options, console) if parts.intersection(options.parts) else ():
                figures[name] = found
                verdicts += judged
    except SiteMissing as error:
        console.print(f"[red]{error}[/]")
        return 2
    for goal, met in verdicts:
        console.print(f"{'[green]met   [/]' if met else '[red]MISSED[/]'} {goal}", highlight=False)
    if options.json:
        told = {"figures": figures, "goals": [verdict._asdict() for verdict in verdicts]}
        options.json.write_text(json.dumps(told, indent=2))
    return 0 if all(verdict.met for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
