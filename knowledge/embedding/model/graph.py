"""The encoder as an ONNX graph, written out by hand: BERT layers, mean pooling over real tokens, length 1.

all-MiniLM-L6-v2: 6 layers, 12 heads, 384 wide (Wang et al. 2020, Reimers and Gurevych 2019). Only the build
imports this module; it needs onnx and numpy, and no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEADS, LAYERS = 384, 12, 6
HEAD_WIDTH = WIDTH // HEADS
LAYER_NORM_EPSILON = 1e-12
# Gelu became an operator of its own in opset 20.
OPSET = 20
# Added to the score of padding before the softmax: finite, so that no row of it turns into NaN.
MASKED = -10_000.0

Weights = Mapping[str, np.ndarray]


class _Graph:
    """Nodes and constants under names that say where they stand in the model."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        # np.ascontiguousarray would turn a scalar into a vector.
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def add(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def dense(self, at: str, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """`weight` is (out, in), as torch keeps it."""
        product = self.add("MatMul", [x, self.constant(f"{at}.weight", weight.T)], f"{at}.product")
        return self.add("Add", [product, self.constant(f"{at}.bias", bias)], f"{at}.out")

    def norm(self, at: str, x: str, weights: Weights) -> str:
        scale = self.constant(f"{at}.scale", weights[f"{at}.weight"])
        bias = self.constant(f"{at}.shift", weights[f"{at}.bias"])
        return self.add("LayerNormalization", [x, scale, bias], f"{at}.out", axis=-1, epsilon=LAYER_NORM_EPSILON)


def encoder(weights: Weights) -> onnx.ModelProto:
    """input_ids, attention_mask: int64 [batch, tokens] -> sentence_embedding: float32 [batch, 384], of length 1."""
    graph = _Graph()
    graph.constant("head_shape", np.array([0, 0, HEADS, HEAD_WIDTH], np.int64))
    graph.constant("flat_shape", np.array([0, 0, WIDTH], np.int64))
    hidden = _embeddings(graph, weights)
    mask = graph.add("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    penalty = _penalty(graph, mask)
    for layer in range(LAYERS):
        hidden = _layer(graph, f"encoder.layer.{layer}", hidden, penalty, weights)
    _pool(graph, hidden, mask)
    shape = ["batch", "tokens"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", WIDTH])
    body = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, [output], graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="archon")
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def _embeddings(graph: _Graph, weights: Weights) -> str:
    """Words plus positions; every token is of the first type, so its vector is added to the positions here."""
    table = graph.constant("words.table", weights["embeddings.word_embeddings.weight"])
    words = graph.add("Gather", [table, "input_ids"], "words.out")
    places = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    graph.constant("places.table", places)
    graph.constant("zero", np.array([0], np.int64))
    graph.constant("one", np.array([1], np.int64))
    graph.add("Shape", ["input_ids"], "places.length", start=1, end=2)
    graph.add("Slice", ["places.table", "zero", "places.length", "zero"], "places.out")
    total = graph.add("Add", [words, "places.out"], "embeddings.sum")
    return graph.norm("embeddings.LayerNorm", total, weights)


def _penalty(graph: _Graph, mask: str) -> str:
    """[batch, 1, 1, tokens]: 0 for a token, MASKED for padding."""
    graph.constant("axes", np.array([1, 2], np.int64))
    wide = graph.add("Unsqueeze", [mask, "axes"], "penalty.wide")
    padding = graph.add("Sub", [graph.constant("penalty.one", np.array(1, np.float32)), wide], "penalty.padding")
    return graph.add("Mul", [padding, graph.constant("penalty.size", np.array(MASKED, np.float32))], "penalty")


def _layer(graph: _Graph, at: str, x: str, penalty: str, weights: Weights) -> str:
    attended = _attention(graph, f"{at}.attention", x, penalty, weights)
    total = graph.add("Add", [attended, x], f"{at}.attention.sum")
    middle = graph.norm(f"{at}.attention.output.LayerNorm", total, weights)
    inner = _dense(graph, f"{at}.intermediate.dense", middle, weights)
    active = graph.add("Gelu", [inner], f"{at}.gelu")
    outer = _dense(graph, f"{at}.output.dense", active, weights)
    return graph.norm(f"{at}.output.LayerNorm", graph.add("Add", [outer, middle], f"{at}.sum"), weights)


def _attention(graph: _Graph, at: str, x: str, penalty: str, weights: Weights) -> str:
    """One product for query, key and value: its input is quantised once. The query's scale is in its weights."""
    scales = {"query": HEAD_WIDTH**-0.5, "key": 1.0, "value": 1.0}
    weight = np.concatenate([weights[f"{at}.self.{part}.weight"] * scale for part, scale in scales.items()])
    bias = np.concatenate([weights[f"{at}.self.{part}.bias"] * scale for part, scale in scales.items()])
    all_three = graph.dense(f"{at}.self", x, weight.astype(np.float32), bias.astype(np.float32))
    parts = [f"{at}.{part}" for part in scales]
    graph.nodes.append(helper.make_node("Split", [all_three], parts, name=f"{at}.split", axis=-1, num_outputs=3))
    heads = [graph.add("Reshape", [part, "head_shape"], f"{part}.heads") for part in parts]
    turns = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    query, key, value = (
        graph.add("Transpose", [head], f"{head}.turned", perm=turn) for head, turn in zip(heads, turns, strict=True)
    )
    scores = graph.add("Add", [graph.add("MatMul", [query, key], f"{at}.products"), penalty], f"{at}.scores")
    shares = graph.add("Softmax", [scores], f"{at}.shares", axis=-1)
    mixed = graph.add("MatMul", [shares, value], f"{at}.mixed")
    turned = graph.add("Transpose", [mixed], f"{at}.turned", perm=[0, 2, 1, 3])
    flat = graph.add("Reshape", [turned, "flat_shape"], f"{at}.flat")
    return _dense(graph, f"{at}.output.dense", flat, weights)


def _dense(graph: _Graph, at: str, x: str, weights: Weights) -> str:
    return graph.dense(at, x, weights[f"{at}.weight"], weights[f"{at}.bias"])


def _pool(graph: _Graph, hidden: str, mask: str) -> str:
    """The mean over real tokens, at length 1. A mask has at least [CLS] and [SEP], so nothing is divided by zero."""
    graph.constant("last", np.array([-1], np.int64))
    wide = graph.add("Unsqueeze", [mask, "last"], "pool.mask")
    total = graph.add("ReduceSum", [graph.add("Mul", [hidden, wide], "pool.real"), "one"], "pool.sum", keepdims=0)
    count = graph.add("ReduceSum", [mask, "one"], "pool.count", keepdims=1)
    mean = graph.add("Div", [total, count], "pool.mean")
    length = graph.add("ReduceL2", [mean, "one"], "pool.length", keepdims=1)
    return graph.add("Div", [mean, length], "sentence_embedding")
