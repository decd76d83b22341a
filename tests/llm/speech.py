# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes a Whisper as `ax650-llm transcribe` reads it: three ONNX models (encoder, first run and later runs of the decoder)
and a description.

Weights are stored with 16 bits and computed with 32; what goes from model to model, and keys and values, has 16 bits.
"""
import json
import os

import numpy
from onnx import TensorProto

from layers import Graph

EPSILON = 1e-5
HALF, FLOAT, UINT32, MASK = TensorProto.FLOAT16, TensorProto.FLOAT, TensorProto.UINT32, TensorProto.BFLOAT16


class Network(Graph):
    """A graph with what Whisper is made of; `weights` gives an array by its name in CTranslate2's files."""

    def __init__(self, shape, weights):
        super().__init__()
        self.shape, self.stored = shape, weights
        self.rows = None

    def half(self, name, output=None):
        return self.op("Cast", name, to=HALF, name=output)

    def stored_half(self, array):
        return self.wide(self.constant(array.astype(numpy.float16)))

    def linear(self, name, part, rows=slice(None)):
        """Multiplies with some rows of a matrix of outputs x inputs, and adds their bias."""
        product = self.matmul(name, self.stored(f"{part}/weight")[rows].T)
        return self.op("Add", product, self.stored_half(self.stored(f"{part}/bias")[rows]))

    def layer_norm(self, name, part):
        gamma, beta = (self.stored_half(self.stored(f"{part}/{which}")) for which in ("gamma", "beta"))
        return self.op("LayerNormalization", name, gamma, beta, axis=-1, epsilon=EPSILON)

    def gelu(self, name):
        share = self.op("Erf", self.op("Mul", name, self.constant(numpy.float32(0.5**0.5))))
        share = self.op("Add", share, self.constant(numpy.float32(1)))
        return self.op("Mul", self.op("Mul", name, share), self.constant(numpy.float32(0.5)))

    def conv(self, name, part, stride):
        weight, bias = (self.stored_half(self.stored(f"{part}/{which}")) for which in ("weight", "bias"))
        return self.gelu(self.op("Conv", name, weight, bias, kernel_shape=[3], pads=[1, 1], strides=[stride]))

    def heads(self, name, perm):
        heads, state = self.shape["heads"], self.shape["state"]
        return self.op("Transpose", self.op("Reshape", name, self.ints(1, -1, heads, state // heads)), perm=perm)

    def attend(self, query, keys, values, mask=None):
        """What queries see of values; the mask is added to the scores."""
        scale = self.constant(numpy.float32((self.shape["state"] // self.shape["heads"]) ** -0.5))
        query = self.op("Mul", self.heads(query, [0, 2, 1, 3]), scale)
        scores = self.op("MatMul", query, self.heads(keys, [0, 2, 3, 1]))
        if mask:
            scores = self.op("Add", scores, mask)
        seen = self.op("MatMul", self.op("Softmax", scores, axis=-1), self.heads(values, [0, 2, 1, 3]))
        return self.op("Reshape", self.op("Transpose", seen, perm=[0, 2, 1, 3]), self.ints(1, -1, self.shape["state"]))

    def thirds(self, name, part):
        """Query, keys and values of attention to itself, which are one matrix."""
        state = self.shape["state"]
        return [self.linear(name, part, slice(which * state, (which + 1) * state)) for which in range(3)]

    def feed_forward(self, name, part):
        inner = self.gelu(self.linear(self.layer_norm(name, f"{part}/layer_norm"), f"{part}/linear_0"))
        return self.op("Add", name, self.linear(inner, f"{part}/linear_1"))

    def layers(self, name):
        """The parts of a tensor that has all layers side by side."""
        return self.op("Split", name, outputs=self.shape["layers"], axis=-1)

    def decode(self, x, mask, cross_keys, cross_values, caches=None):
        """The decoder's layers and logits; `caches` are keys and values of earlier tokens."""
        fresh = [], []
        for number in range(self.shape["layers"]):
            part = f"decoder/layer_{number}"
            query, *new = self.thirds(
                self.layer_norm(x, f"{part}/self_attention/layer_norm"), f"{part}/self_attention/linear_0"
            )
            # What is seen of the new rows is what later tokens see of them in the cache.
            for rows, row in zip(fresh, new):
                rows.append(self.half(row))
            keys, values = (rows[number] for rows in fresh)
            if caches:
                keys, values = (
                    self.op("Concat", cache[number], row, axis=1) for cache, row in zip(caches, (keys, values))
                )
            seen = self.attend(query, self.wide(keys), self.wide(values), mask)
            x = self.op("Add", x, self.linear(seen, f"{part}/self_attention/linear_1"))
            query = self.linear(self.layer_norm(x, f"{part}/attention/layer_norm"), f"{part}/attention/linear_0")
            seen = self.attend(query, self.wide(cross_keys[number]), self.wide(cross_values[number]))
            x = self.op("Add", x, self.linear(seen, f"{part}/attention/linear_2"))
            x = self.feed_forward(x, f"{part}/ffn")
        for rows, name in zip(fresh, ("self_k_out", "self_v_out")):
            self.op("Concat", *rows, axis=-1, name=name)
        x = self.layer_norm(x, "decoder/layer_norm")
        self.op("MatMul", x, self.op("Transpose", self.rows, perm=[1, 0]), name="logits")

    def embed(self, tokens, places):
        self.rows = self.stored_half(self.stored("decoder/embeddings/weight"))
        return self.op("Add", self.op("Gather", self.rows, tokens, axis=0), places)

    def places(self, encodings):
        return self.constant(encodings.astype(numpy.float16))


def write_encoder(path, shape, weights):
    g = Network(shape, weights)
    x = g.conv(g.conv("mel", "encoder/conv1", 1), "encoder/conv2", 2)
    places = weights("encoder/position_encodings/encodings")
    x = g.op("Add", g.op("Transpose", x, perm=[0, 2, 1]), g.wide(g.places(places)))
    for number in range(shape["encoder_layers"]):
        part = f"encoder/layer_{number}"
        h = g.layer_norm(x, f"{part}/self_attention/layer_norm")
        seen = g.attend(*g.thirds(h, f"{part}/self_attention/linear_0"))
        x = g.op("Add", x, g.linear(seen, f"{part}/self_attention/linear_1"))
        x = g.feed_forward(x, f"{part}/ffn")
    g.half(g.layer_norm(x, "encoder/layer_norm"), "audio")
    context = shape["audio_context"]
    inputs = [("mel", FLOAT, [1, shape["mels"], 2 * context])]
    g.write(path, "encoder", inputs, [("audio", HALF, [1, context, shape["state"]])])


def row(shape):
    """Elements of the keys of one token, or of one place of the audio: all layers side by side."""
    return shape["layers"] * shape["state"]


def write_main(path, shape, weights):
    g = Network(shape, weights)
    count = shape["first_tokens"]
    tokens = g.op("Cast", "tokens", to=TensorProto.INT64)
    x = g.embed(tokens, g.wide(g.places(weights("decoder/position_encodings/encodings")[:count])))
    mask = g.constant(numpy.triu(numpy.full((count, count), -65536, numpy.float32), 1))
    audio, state = g.wide("audio"), shape["state"]
    cross = [
        [
            g.half(g.linear(audio, f"decoder/layer_{number}/attention/linear_1", rows))
            for number in range(shape["layers"])
        ]
        for rows in (slice(0, state), slice(state, 2 * state))
    ]
    for parts, name in zip(cross, ("cross_k", "cross_v")):
        g.op("Concat", *parts, axis=-1, name=name)
    g.decode(x, mask, *cross)
    context, vocabulary = shape["audio_context"], len(weights("decoder/embeddings/weight"))
    inputs = [("tokens", UINT32, [1, count]), ("audio", HALF, [1, context, state])]
    outputs = [
        ("logits", FLOAT, [1, count, vocabulary]),
        ("cross_k", HALF, [1, context, row(shape)]),
        ("cross_v", HALF, [1, context, row(shape)]),
        ("self_k_out", HALF, [1, count, row(shape)]),
        ("self_v_out", HALF, [1, count, row(shape)]),
    ]
    g.write(path, "main", inputs, outputs)


def write_loop(path, shape, weights):
    g = Network(shape, weights)
    token, place = (g.op("Cast", name, to=TensorProto.INT64) for name in ("token", "position"))
    encodings = g.places(weights("decoder/position_encodings/encodings"))
    x = g.embed(token, g.wide(g.op("Gather", encodings, place, axis=0)))
    cross = [g.layers(name) for name in ("cross_k", "cross_v")]
    caches = [g.layers(name) for name in ("self_k", "self_v")]
    g.decode(x, g.op("Unsqueeze", g.wide("mask"), g.ints(1)), *cross, caches)
    audio, context = shape["audio_context"], shape["context"]
    inputs = [
        ("token", UINT32, [1, 1]),
        ("position", UINT32, [1, 1]),
        ("mask", MASK, [1, 1, context + 1]),
        ("cross_k", HALF, [1, audio, row(shape)]),
        ("cross_v", HALF, [1, audio, row(shape)]),
        ("self_k", HALF, [1, context, row(shape)]),
        ("self_v", HALF, [1, context, row(shape)]),
    ]
    outputs = [
        ("logits", FLOAT, [1, 1, len(weights("decoder/embeddings/weight"))]),
        ("self_k_out", HALF, [1, 1, row(shape)]),
        ("self_v_out", HALF, [1, 1, row(shape)]),
    ]
    g.write(path, "loop", inputs, outputs)


def write(out, name, shape, weights, tokenizer, tokens, suppress, suppress_first):
    """Writes the directory `out`; `tokenizer` is the text of tokenizer.json."""
    os.makedirs(out, exist_ok=True)
    files = {"encoder": write_encoder, "main": write_main, "loop": write_loop}
    for part, writer in files.items():
        writer(os.path.join(out, f"{part}.onnx"), shape, weights)
    description = {
        "name": name,
        "mels": shape["mels"],
        "audio_context": shape["audio_context"],
        "state": shape["state"],
        "layers": shape["layers"],
        "context": shape["context"],
        "vocabulary": len(weights("decoder/embeddings/weight")),
        **{part: f"{part}.onnx" for part in files},
        "tokenizer": "tokenizer.json",
        "tokens": tokens,
        "suppress": suppress,
        "suppress_first": suppress_first,
    }
    with open(os.path.join(out, "speech.json"), "w", encoding="utf-8") as to:
        json.dump(description, to, ensure_ascii=False, indent=2)
        to.write("\n")
    with open(os.path.join(out, "tokenizer.json"), "w", encoding="utf-8") as to:
        to.write(tokenizer)
