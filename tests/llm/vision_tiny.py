#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the model directory tests/data/llm/vision: random weights, always the same, that look at pictures of 32 x 32 pixels; and
pictures.

usage: vision_tiny.py OUT

encoder.onnx takes bytes and gives bfloat16; encoder_float.onnx, of the same weights, takes numbers that are normalised and
gives float32.
"""
import json
import os
import sys

import numpy
from onnx import TensorProto
from PIL import Image

from layers import Graph
from tiny import make, random

SHAPE = {
    "layers": 2,
    "hidden": 48,
    "heads": 2,
    "kv_heads": 1,
    "epsilon": 1e-5,
    "rope_base": 10000.0,
    "context": 96,
    "prefill": 16,
}
INNER = 64
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<img>", "</img>"]
# Pixels are looked at as the means of squares, so that other programs' roundings in scaling and in JPEG do not matter.
SIDE, PATCH, SQUARE, HEADS = 32, 8, 4, 2
COUNT, WIDTH = (SIDE // PATCH) ** 2, 32
MEAN, STD = [0.5, 0.45, 0.4], [0.25, 0.25, 0.3]
# Of some seeds the one whose choices are the clearest, so that roundings of other programs do not matter.
SEED = "68"


def encode(g, x):
    """A transformer of one block that looks at the normalised picture `x`, 1 x height x width x 3."""
    weight = lambda name, *shape: random(f"{SEED}encoder.{name}", shape, 2.0).T
    cells, squares = SIDE // PATCH, PATCH // SQUARE
    x = g.op("Reshape", x, g.ints(cells, squares, SQUARE, cells, squares, SQUARE, 3))
    x = g.op("ReduceMean", x, axes=[2, 5], keepdims=0)
    x = g.op("Reshape", g.op("Transpose", x, perm=[0, 2, 1, 3, 4]), g.ints(1, COUNT, squares * squares * 3))
    x = g.matmul(x, weight("patch", WIDTH, squares * squares * 3))
    x = g.op("Add", x, g.wide(g.constant(random(f"{SEED}encoder.places", (COUNT, WIDTH), 3.0).astype(numpy.float16))))
    ones = numpy.ones(WIDTH)
    h = g.norm(x, ones, 1e-5)

    def heads(name, perm):
        y = g.op("Reshape", g.matmul(h, weight(name, WIDTH, WIDTH)), g.ints(1, COUNT, HEADS, WIDTH // HEADS))
        return g.op("Transpose", y, perm=perm)

    scores = g.op("MatMul", heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]))
    scores = g.op("Mul", scores, g.constant(numpy.float32((WIDTH // HEADS) ** -0.5)))
    seen = g.op("MatMul", g.op("Softmax", scores, axis=-1), heads("value", [0, 2, 1, 3]))
    seen = g.op("Reshape", g.op("Transpose", seen, perm=[0, 2, 1, 3]), g.ints(1, COUNT, WIDTH))
    x = g.op("Add", x, g.matmul(seen, weight("output", WIDTH, WIDTH)))
    h = g.matmul(g.norm(x, ones, 1e-5), weight("up", 2 * WIDTH, WIDTH))
    h = g.op("Mul", h, g.op("Sigmoid", h))
    x = g.op("Add", x, g.matmul(h, weight("down", WIDTH, 2 * WIDTH)))
    return g.matmul(g.norm(x, ones, 1e-5), weight("project", SHAPE["hidden"], WIDTH))


def write_encoders(out):
    rows = [1, COUNT, SHAPE["hidden"]]
    g = Graph()
    x = g.op("Mul", g.wide("picture"), g.constant(numpy.float32(1 / 255)))
    x = g.op("Sub", x, g.constant(numpy.float32(MEAN)))
    g.narrow(encode(g, g.op("Div", x, g.constant(numpy.float32(STD)))), "rows")
    inputs = [("picture", TensorProto.UINT8, [1, SIDE, SIDE, 3])]
    g.write(os.path.join(out, "encoder.onnx"), "encoder", inputs, [("rows", TensorProto.BFLOAT16, rows)])
    g = Graph()
    g.op("Identity", encode(g, g.op("Transpose", "picture", perm=[0, 2, 3, 1])), name="rows")
    inputs = [("picture", TensorProto.FLOAT, [1, 3, SIDE, SIDE])]
    g.write(os.path.join(out, "encoder_float.onnx"), "encoder", inputs, [("rows", TensorProto.FLOAT, rows)])


def pictures():
    """Pictures by their names: one of the encoder's size, a larger one, one that is turned by its Exif and a transparent one."""
    y, x = numpy.mgrid[0:SIDE, 0:SIDE]
    rgb = lambda *planes: numpy.stack(planes, -1).astype(numpy.uint8)
    yield "squares.png", Image.fromarray(rgb((x // 8 + y // 8) % 2 * 200, x * 8, 255 - y * 8)), {}
    y, x = numpy.mgrid[0:60, 0:100]
    disk = (x - 40) ** 2 + (y - 30) ** 2 < 500
    yield "disk.png", Image.fromarray(rgb(numpy.where(disk, 240, 30), x * 2, numpy.where(disk, 20, y * 4))), {}
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    y, x = numpy.mgrid[0:48, 0:64]
    yield "turned.jpg", Image.fromarray(rgb(x * 3, y * 4, 128 - x)), {"quality": 95, "subsampling": 0, "exif": exif}
    y, x = numpy.mgrid[0:SIDE, 0:SIDE]
    yield "clear.png", Image.fromarray(rgb(x * 8, y * 8, x * 0 + 90, numpy.where(x > y, 255, 0))), {}


def main():
    out = sys.argv[1]
    vision = {
        "encoder": "encoder.onnx",
        "width": SIDE,
        "height": SIDE,
        "tokens": COUNT,
        "image_token": SPECIAL.index("<image>"),
        "image_start": "<img>",
        "image_end": "</img>",
    }
    make(out, "tiny-vision", SHAPE, INNER, SPECIAL, seed=SEED, vision=vision)
    write_encoders(out)
    with open(os.path.join(out, "normal.json"), "w", encoding="utf-8") as file:
        json.dump({"encoder": "encoder_float.onnx", "mean": MEAN, "std": STD}, file)
        file.write("\n")
    for name, picture, options in pictures():
        picture.save(os.path.join(out, name), **options)


if __name__ == "__main__":
    main()
