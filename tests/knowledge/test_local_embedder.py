"""The bundled model: it is the file that NOTICE speaks of, and its vectors are those its makers publish."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from knowledge.embedding import embedded_text, embedder
from knowledge.embedding import local as local_module
from knowledge.embedding.local import FOLDER, LocalEmbedder, adds_in_16_bits

ROOT = Path(__file__).resolve().parent.parent.parent
# From the model's own page: similarities of the original, unquantised model.
PUBLISHED_TEXTS = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
PUBLISHED = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]


@pytest.fixture(scope="module")
def local() -> LocalEmbedder:
    return LocalEmbedder()


def test_the_files_are_those_that_were_built() -> None:
    for line in (FOLDER / "SHA256SUMS").read_text(encoding="ascii").splitlines():
        expected, name = line.split()
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == expected, name


def test_its_similarities_are_the_published_ones(local: LocalEmbedder) -> None:
    vectors = local.embed(PUBLISHED_TEXTS)
    assert vectors.shape == (3, local.dimension())
    assert np.abs(vectors @ vectors.T - PUBLISHED).max() < 0.02


def test_every_vector_has_length_one_and_is_the_same_in_any_company(local: LocalEmbedder) -> None:
    texts = [
        "word",
        "",
        "a " * 2_000,
        "猫",
        "def f():\n    return 1",
        *("some text about sockets " * n for n in range(6)),
    ]
    together = local.embed(texts)
    alone = np.concatenate([local.embed([text]) for text in texts])
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.array_equal(together, alone)


@pytest.mark.parametrize(
    ("machine", "flags", "narrow"),
    [
        ("x86_64", "flags : sse4_2 avx2 avx512f avx512bw", True),
        ("AMD64", "flags : avx2 avx512_vnni avx512_bf16", False),
        ("x86_64", "flags : avx2 avx_vnni", False),
        ("x86_64", None, True),
        ("aarch64", "Features : fp asimd", False),
    ],
)
def test_wide_sums_are_for_cpus_that_need_them(tmp_path: Path, machine: str, flags: str | None, narrow: bool) -> None:
    told = tmp_path / "cpuinfo"
    if flags is not None:
        told.write_text(flags)
    assert adds_in_16_bits(machine, told) is narrow


def test_on_this_cpu_no_sum_overflows(local: LocalEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*PUBLISHED_TEXTS, "def f():\n    return [{}]" * 30, "0xFF " * 80, "the server closes the socket " * 30]
    monkeypatch.setattr(local_module, "adds_in_16_bits", lambda machine, flags: True)
    wide = LocalEmbedder().embed(texts)
    assert np.abs(local.embed(texts) - wide).max() < 1e-5


def test_no_texts_are_no_vectors(local: LocalEmbedder) -> None:
    assert local.embed([]).shape == (0, 384)


def test_link_targets_are_not_embedded() -> None:
    content = 'See [tasks](https://docs.example.com/a_(b).html#x "Tasks") and [y][1], f(x) [0](1).'
    assert embedded_text("Title > Runners", content) == "Title > Runners\nSee [tasks] and [y][1], f(x) [0]."


@pytest.mark.usefixtures("with_vectors")
def test_the_settings_name_the_bundled_one_by_default() -> None:
    assert isinstance(embedder(), LocalEmbedder)


def test_onnx_is_loaded_by_the_first_text_and_not_before() -> None:
    code = """
import sys, django
django.setup()
import knowledge.search, knowledge.tasks, knowledge.api, knowledge.embedding
from knowledge.embedding import embedder
one = embedder()
loaded = [name for name in ("onnxruntime", "tokenizers", "openai") if name in sys.modules]
one.embed(["a"])
print(loaded, "onnxruntime" in sys.modules)
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "archon.settings", "ARCHON_EMBEDDER": "local"}
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert found.stdout.split("\n")[0] == "[] True", found.stderr
