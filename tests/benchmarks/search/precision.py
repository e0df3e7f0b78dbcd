"""The bundled model against itself before it was quantised, on the same questions; a child process. Prints figures.

Pages are ranked by their nearest chunk, by meaning alone: only the model differs.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.mcp.fill import document
from tests.benchmarks.search.crawled import SITE
from tests.benchmarks.search.questions import Question, questions
from tests.environment import temporary_folder


def compared(most_chunks: int, most_questions: int) -> dict[str, Any]:
    """nDCG@10 of both, and the mean cosine of a chunk's two vectors."""
    from knowledge.embedding.local import LocalEmbedder
    from knowledge.embedding.model import build

    asked = _chosen(most_questions)
    pages, texts = _corpus(asked, most_chunks)
    known = set(pages)
    asked = [one for one in asked if known.issuperset(one["expected"])]
    with temporary_folder() as folder:
        build.fp32(folder / "fp32.onnx")
        models = {"int8": LocalEmbedder(), "fp32": LocalEmbedder(folder / "fp32.onnx", "local/fp32")}
        told: dict[str, Any] = {"questions": len(asked), "chunks": len(texts)}
        vectors = {}
        for name, model in models.items():
            started = time.perf_counter()
            vectors[name] = model.embed(texts)
            told[f"{name}_chunks_per_second"] = round(len(texts) / (time.perf_counter() - started), 1)
            told[f"{name}_ndcg_at_10"] = round(_ndcg(asked, pages, vectors[name], model), 4)
    told["cosine"] = round(float((vectors["int8"] * vectors["fp32"]).sum(axis=1).mean()), 4)
    return told


def _chosen(most: int) -> list[Question]:
    """Of every kind in turn, so that a few are a fair sample."""
    kinds = zip_longest(*questions(SITE.folder()))
    return [one for row in kinds for one in row if one is not None][:most]


def _corpus(asked: list[Question], most_chunks: int) -> tuple[list[str], list[str]]:
    """The pages that are expected, then others, each whole, until there are enough chunks."""
    from knowledge.embedding import embedded_text
    from knowledge.ingest import prepare_document

    folder = SITE.folder()
    expected = [page for one in asked for page in one["expected"]]
    others = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.html"))
    pages: list[str] = []
    texts: list[str] = []
    for page in dict.fromkeys([*expected, *others]):
        if len(texts) >= most_chunks:
            break
        if not (folder / page).is_file() or Path(page).name.startswith(("genindex", "py-modindex")):
            continue
        for chunk in prepare_document(document(folder / page)).chunks:
            pages.append(page)
            texts.append(embedded_text(chunk.heading_path, chunk.content))
    return pages, texts


def _ndcg(asked: list[Question], pages: list[str], vectors: np.ndarray[Any, Any], model: Any) -> float:
    from knowledge.search.evaluation import ndcg

    scores = []
    for one, vector in zip(asked, model.embed([one["query"] for one in asked]), strict=True):
        nearest = list(dict.fromkeys(pages[row] for row in np.argsort(-(vectors @ vector))))[:10]
        places = [place for place, page in enumerate(nearest, start=1) if page in one["expected"]]
        scores.append(ndcg(places, len(one["expected"])))
    return statistics.fmean(scores)


if __name__ == "__main__":
    import django

    django.setup()
    sys.stdout.write(json.dumps(compared(int(sys.argv[1]), int(sys.argv[2]))))
