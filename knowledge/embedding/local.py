"""The bundled embedder: all-MiniLM-L6-v2 as int8 ONNX, on the CPU, without network and without torch.

One thread per process: a worker has a process per core, and ONNX Runtime is not safe to carry
over a fork, so a session is made in each process at its first text (0.15 s, 100 MB).

One text at a time. int8 activations are scaled over the whole batch, so a neighbour would change a text's
vector (cosine .96 for short texts), and a batch gains nothing: documentation chunks of ~220 tokens take a fifth
longer in fours and in eights.
"""

from __future__ import annotations

import platform
import re
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from knowledge.embedding.embedder import Vectors

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

FOLDER = Path(__file__).resolve().parent / "model"
SPACE = "local/all-MiniLM-L6-v2-int8"
DIMENSION = 384
# What the model was trained to read; the rest of a longer text is not seen.
TOKEN_LIMIT = 256
# Of onnxruntime 1.32: the fused kernel takes 3.9 ms of a chunk's 22, the two that it is made of 1.1.
SLOWER_FUSED = ["SkipLayerNormFusion"]
CPU_FLAGS = Path("/proc/cpuinfo")


class LocalEmbedder:
    def __init__(self, model: Path = FOLDER / "model.onnx", space: str = SPACE) -> None:
        self._model = model
        self._space = space
        self._loading = threading.Lock()

    @property
    def space(self) -> str:
        return self._space

    def dimension(self) -> int:
        return DIMENSION

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        vectors = np.empty((len(texts), DIMENSION), np.float32)
        for row, text in enumerate(texts):
            ids = np.array([self._tokenizer.encode(text).ids], np.int64)
            vectors[row] = self._session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
        return vectors

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = load_tokenizer()
        tokenizer.enable_truncation(TOKEN_LIMIT)
        return tokenizer

    @property
    def _session(self) -> InferenceSession:
        with self._loading:
            return self._loaded

    @cached_property
    def _loaded(self) -> InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        if adds_in_16_bits(platform.machine(), CPU_FLAGS):
            options.add_session_config_entry("session.x64quantprecision", "1")
        return onnxruntime.InferenceSession(
            str(self._model), options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER_FUSED
        )


def adds_in_16_bits(machine: str, flags: Path) -> bool:
    """Whether sums of int8 products may overflow, as they do on x86 before VNNI. Wider ones are right everywhere, and
    take twice the time: they are for CPUs that need them or do not say what they are."""
    if machine.lower() not in ("x86_64", "amd64"):
        return False
    try:
        return re.search(r"\bavx(?:512)?_vnni\b", flags.read_text()) is None
    except OSError:
        return True


def load_tokenizer() -> Tokenizer:
    """The model's own, without a limit. 40 ms."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
