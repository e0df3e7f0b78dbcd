"""`manage.py eval QUERIES.yaml`: how well search answers your own questions, mode by mode."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from archon.terminal import DONE, TerminalCommand
from knowledge.errors import BadQuery
from knowledge.search.evaluation import MODES, Evaluation, ModeScore, evaluate, read_questions
from progress.viewer import OPERATOR

MAX_FILE_BYTES = 10 * 2**20
FIGURES = ("hit_at_1", "hit_at_5", "hit_at_10", "mrr", "ndcg_at_10")


class Command(TerminalCommand):
    help = "Score the search on your own questions: Hit@k, MRR, nDCG@10 of each mode."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="YAML or JSON: a list of {query, expected: [page URLs]}")
        parser.add_argument("--mode", action="append", choices=MODES, help="only this mode; may be repeated")

    def answer(self, options: dict[str, Any]) -> int:
        evaluation = evaluate(read_questions(_read(options["file"])), options["mode"] or MODES, viewer=OPERATOR)
        if self.as_json:
            self.tell(asdict(evaluation))
        else:
            self._show(evaluation)
        return DONE

    def _show(self, evaluation: Evaluation) -> None:
        table = Table("mode", "Hit@1", "Hit@5", "Hit@10", "MRR", "nDCG@10", "median ms")
        for score in evaluation.modes:
            table.add_row(*_row(score))
        self.console.print(table)
        for question, ranks in zip(evaluation.questions, evaluation.ranks, strict=True):
            if None in ranks.values():
                places = ", ".join(f"{mode} {rank or 'not in 10'}" for mode, rank in ranks.items())
                self.console.print(f"{question.query[:80]}: {places}", markup=False)


def _row(score: ModeScore) -> list[str]:
    if score.unavailable:
        return [score.mode, score.unavailable]
    name = f"{score.mode} (answered by {', '.join(score.answered_as)})" if score.answered_as else score.mode
    return [name, *(f"{getattr(score, figure):.3f}" for figure in FIGURES), f"{score.median_ms:.1f}"]


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadQuery(f"{path.name} is larger than 10 MB.", code="eval_bad", hint="Split it.", field="file")
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}."
        raise BadQuery(message, code="eval_bad", hint="Give the path of a file.", field="file") from None
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        place = " ".join(str(error).split())[:200]
        raise BadQuery(
            f"{path.name} is no YAML: {place}", code="eval_bad", hint="See docs/search.md.", field="file"
        ) from None
