# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes a decoder of the Llama kind as ax650-llm reads it: an ONNX model for each layer, one for the head, embeddings,
a description.

All tensors between the models are bfloat16, as published models for the card have them, and those of the head too, or float32; weights are stored with 16 bits
and computed with 32.  Shape group 0 takes one token, group 1 `prefill` tokens; both see the whole cache.
"""
import json
import os

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

IR_VERSION = 10
OPSET = 17
LAYER = "layer_{}.onnx"


def to_bfloat16(array):
    """The bits of `array` as bfloat16, rounded to the nearest, to even where there are two."""
    bits = numpy.ascontiguousarray(array, numpy.float32).view(numpy.uint32).astype(numpy.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16)


def from_bfloat16(bits):
    """The values of bfloat16 `bits`."""
    return (bits.astype(numpy.uint32) << 16).view(numpy.float32)


class Graph:
    """A graph that is being put together; its methods return the name of what they compute."""

    def __init__(self):
        self.nodes, self.weights, self.known = [], [], {}

    def op(self, kind, *inputs, outputs=1, name=None, **attributes):
        first = name or f"{kind.lower()}{len(self.nodes)}"
        names = [first] if outputs == 1 else [f"{first}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array):
        array = numpy.asarray(array)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.known:
            self.known[key] = f"constant{len(self.known)}"
            self.weights.append(numpy_helper.from_array(array, self.known[key]))
        return self.known[key]

    def ints(self, *values):
        return self.constant(numpy.array(values, numpy.int64))

    def wide(self, name):
        return self.op("Cast", name, to=TensorProto.FLOAT)

    def narrow(self, name, output=None):
        return self.op("Cast", name, to=TensorProto.BFLOAT16, name=output)

    def matmul(self, name, weight):
        """Multiplies with a matrix of inputs x outputs."""
        return self.op("MatMul", name, self.wide(self.constant(weight.astype(numpy.float16))))

    def norm(self, name, weight, epsilon):
        square = self.op("Mul", name, name)
        mean = self.op("ReduceMean", square, axes=[-1], keepdims=1)
        root = self.op("Sqrt", self.op("Add", mean, self.constant(numpy.float32(epsilon))))
        return self.op("Mul", self.op("Div", name, root), self.constant(weight.astype(numpy.float32)))

    def turn(self, name, cosine, sine):
        """Turns pairs of elements, each of one from the first and one from the second half, by the place's angles."""
        first, second = self.op("Split", name, outputs=2, axis=-1)
        crossed = self.op("Concat", self.op("Neg", second), first, axis=-1)
        return self.op("Add", self.op("Mul", name, cosine), self.op("Mul", crossed, sine))

    def write(self, path, name, inputs, outputs, groups=None):
        value = lambda item: helper.make_tensor_value_info(*item)
        graph = helper.make_graph(self.nodes, name, list(map(value, inputs)), list(map(value, outputs)), self.weights)
        model = helper.make_model(
            graph,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="ax650-test-llm",
        )
        if groups:
            model.metadata_props.add(key="ax650.groups", value=json.dumps(groups))
        onnx.checker.check_model(model)
        with open(path, "wb") as file:
            file.write(model.SerializeToString(deterministic=True))


def write_layer(path, number, shape, weights):
    """Writes layer `number`; `weights` has matrices of outputs x inputs, as they are published."""
    hidden, heads, kv_heads, context = (shape[key] for key in ("hidden", "heads", "kv_heads", "context"))
    size = hidden // heads
    kv_size, group = kv_heads * size, heads // kv_heads
    g = Graph()
    x = g.wide("input")
    h = g.norm(x, weights["attn_norm"], shape["epsilon"])
    # Tables of angles for each place.
    angles = numpy.outer(
        numpy.arange(context), shape["rope_base"] ** (-numpy.arange(0, size, 2, dtype=numpy.float64) / size)
    )
    angles = numpy.concatenate([angles, angles], -1)[:, None, :]
    places = g.op("Cast", "indices", to=TensorProto.INT64)
    cosine = g.op("Gather", g.constant(numpy.cos(angles).astype(numpy.float32)), places, axis=0)
    sine = g.op("Gather", g.constant(numpy.sin(angles).astype(numpy.float32)), places, axis=0)
    heads_of = lambda name, count: g.op("Reshape", name, g.ints(1, -1, count, size))
    query = g.turn(heads_of(g.matmul(h, weights["attn_q"].T), heads), cosine, sine)
    key = g.turn(heads_of(g.matmul(h, weights["attn_k"].T), kv_heads), cosine, sine)
    value = g.matmul(h, weights["attn_v"].T)
    # What is seen of the new rows is what later tokens see of them in the cache.
    key = g.narrow(g.op("Reshape", key, g.ints(1, -1, kv_size)), "K_cache_out")
    value = g.narrow(value, "V_cache_out")

    def cached(cache, new):
        whole = g.op("Concat", g.wide(cache), g.wide(new), axis=1)
        return g.op("Reshape", whole, g.ints(1, -1, kv_heads, 1, size))

    query = g.op("Transpose", g.op("Reshape", query, g.ints(1, -1, kv_heads, group, size)), perm=[0, 2, 3, 1, 4])
    keys = g.op("Transpose", cached("K_cache", key), perm=[0, 2, 3, 4, 1])
    values = g.op("Transpose", cached("V_cache", value), perm=[0, 2, 3, 1, 4])
    scores = g.op("Mul", g.op("MatMul", query, keys), g.constant(numpy.float32(size**-0.5)))
    mask = g.op("Unsqueeze", g.wide("mask"), g.ints(1, 2))
    seen = g.op("MatMul", g.op("Softmax", g.op("Add", scores, mask), axis=-1), values)
    seen = g.op("Reshape", g.op("Transpose", seen, perm=[0, 3, 1, 2, 4]), g.ints(1, -1, hidden))
    x = g.op("Add", x, g.matmul(seen, weights["attn_output"].T))
    h = g.norm(x, weights["ffn_norm"], shape["epsilon"])
    gate = g.matmul(h, weights["ffn_gate"].T)
    gate = g.op("Mul", gate, g.op("Sigmoid", gate))
    h = g.op("Mul", gate, g.matmul(h, weights["ffn_up"].T))
    g.narrow(g.op("Add", x, g.matmul(h, weights["ffn_down"].T)), "output")

    kinds = {"indices": TensorProto.UINT32}
    shapes = lambda tokens: {
        "K_cache": [1, context, kv_size],
        "V_cache": [1, context, kv_size],
        "indices": [1, tokens],
        "mask": [1, tokens, context + tokens],
        "input": [1, tokens, hidden],
    }
    free = shapes(1) | {"indices": [1, "tokens"], "mask": [1, "tokens", "seen"], "input": [1, "tokens", hidden]}
    inputs = [(name, kinds.get(name, TensorProto.BFLOAT16), dims) for name, dims in free.items()]
    new = {"K_cache_out": kv_size, "V_cache_out": kv_size, "output": hidden}
    outputs = [(name, TensorProto.BFLOAT16, [1, "tokens", width]) for name, width in new.items()]
    g.write(path, f"layer {number}", inputs, outputs, [shapes(1), shapes(shape["prefill"])])


def write_head(path, shape, norm, embeddings, logits):
    """Writes the head: from the last layer's output for one token to a number of type `logits` for each of the vocabulary."""
    g = Graph()
    h = g.norm(g.wide("input"), norm, shape["epsilon"])
    g.op("Cast", g.matmul(h, embeddings.T), to=logits, name="output")
    hidden = [1, 1, shape["hidden"]]
    outputs = [("output", logits, [1, 1, len(embeddings)])]
    g.write(path, "head", [("input", TensorProto.BFLOAT16, hidden)], outputs, [{"input": hidden}])


def write(
    out,
    name,
    shape,
    weights,
    tokenizer,
    end_tokens,
    chat_template,
    logits=TensorProto.BFLOAT16,
    say=lambda text: None,
    vision=None,
):
    """Writes the directory `out`.  `weights` gives a matrix by its name in GGUF files; `vision` is what the description says of
    an encoder of pictures, if there is one."""
    os.makedirs(out, exist_ok=True)
    parts = "attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down".split()
    for number in range(shape["layers"]):
        layer = {part: weights(f"blk.{number}.{part}.weight") for part in parts}
        write_layer(os.path.join(out, LAYER.format(number)), number, shape, layer)
        say(f"layer {number + 1} of {shape['layers']}")
    embeddings = weights("token_embd.weight")
    write_head(os.path.join(out, "head.onnx"), shape, weights("output_norm.weight"), embeddings, logits)
    to_bfloat16(embeddings).astype("<u2").tofile(os.path.join(out, "embeddings.bf16"))
    description = {
        "name": name,
        "layers": shape["layers"],
        "hidden_size": shape["hidden"],
        "kv_size": shape["kv_heads"] * shape["hidden"] // shape["heads"],
        "context": shape["context"],
        "vocabulary": len(embeddings),
        "layer": LAYER,
        "head": "head.onnx",
        "embeddings": "embeddings.bf16",
        "tokenizer": "tokenizer.json",
        "end_tokens": end_tokens,
        "chat_template": chat_template,
    }
    if vision:
        description["vision"] = vision
    for file, content, indent in (("model.json", description, 2), ("tokenizer.json", tokenizer, None)):
        with open(os.path.join(out, file), "w", encoding="utf-8") as to:
            json.dump(content, to, ensure_ascii=False, indent=indent)
            to.write("\n")
