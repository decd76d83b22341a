#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes small models that read coloured bars as PP-OCR's read text, and pages of such bars, for tests.  Nothing of them is trained.

usage: reader.py DIR

A character is a bar of one colour, with grey beside it; a line of them stands on a black stripe.  The detector's map has what is not
white, less a few pixels on all sides, as text is shrunk in the maps of trained ones.  The model of angles looks where the stripe is.
"""
import os
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

# Red, green, blue of the characters; the last is the space.
COLOURS = {
    "r": (255, 0, 0),
    "g": (0, 255, 0),
    "b": (0, 0, 255),
    "c": (0, 255, 255),
    "m": (255, 0, 255),
    " ": (255, 255, 0),
}
GREY = (128, 128, 128)
BAR, GAP, HEIGHT, STRIPE = 12, 8, 28, 6
SIZE = 384, 256
# Text, middle, and by how many degrees it is turned clockwise.
PAGES = {
    "page.png": [("rgb", (100, 40), 0), ("ccmmbb", (260, 44), 0), ("gg rr", (160, 120), 0), ("mb", (90, 200), 180)],
    "turned.png": [("rgbcm", (120, 60), 12), ("mmrr g", (250, 160), -25), ("brbr", (60, 180), -90)],
}


def save(name, nodes, inputs, outputs, constants):
    def info(what):
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, dims) for n, dims in what.items()]

    tensors = [numpy_helper.from_array(numpy.asarray(value), n) for n, value in constants.items()]
    graph = helper.make_graph(nodes, "reader", info(inputs), info(outputs), tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, name)


def detector(name):
    """White is 2.2 and more in all of the scaled colours, all else is 0.1 or less in one of them."""
    node = helper.make_node
    width, height = SIZE
    nodes = [
        node("ReduceMin", ["x"], ["least"], axes=[1], keepdims=1),
        node("Sub", ["middle", "least"], ["dark"]),
        node("Mul", ["dark", "slope"], ["logits"]),
        node("Sigmoid", ["logits"], ["whole"]),
        # Less of it on all sides: the greatest of its opposite.
        node("Neg", ["whole"], ["opposite"]),
        node("MaxPool", ["opposite"], ["grown"], kernel_shape=[9, 9], pads=[4, 4, 4, 4]),
        node("Neg", ["grown"], ["map"]),
    ]
    constants = {"middle": numpy.float32(1.2), "slope": numpy.float32(8)}
    save(name, nodes, {"x": [1, 3, height, width]}, {"map": [1, 1, height, width]}, constants)


def angles(name, rows=24, columns=96):
    """The stripe makes the lower half darker, or the upper one of what is upside down."""
    node = helper.make_node
    upper = numpy.zeros((1, 1, rows, 1), numpy.float32)
    upper[:, :, : rows // 2] = -1
    upper[:, :, rows // 2 :] = 1
    nodes = [
        node("Mul", ["x", "halves"], ["signed"]),
        node("ReduceMean", ["signed"], ["turned"], axes=[1, 2, 3], keepdims=0),
        node("Reshape", ["turned", "flat"], ["score"]),
        node("Neg", ["score"], ["upright"]),
        node("Concat", ["upright", "score"], ["both"], axis=1),
        node("Mul", ["both", "slope"], ["logits"]),
        node("Softmax", ["logits"], ["angles"], axis=1),
    ]
    constants = {"halves": upper, "flat": numpy.array([1, 1]), "slope": numpy.float32(100)}
    save(name, nodes, {"x": [1, 3, rows, columns]}, {"angles": [1, 2]}, constants)


def recogniser(name, rows=24, columns=320, step=2):
    """A column is the character whose colour is nearest to that of its middle; white and grey are none."""
    node = helper.make_node
    # Blue first, from -1 to 1.
    known = [[1, 1, 1], [0, 0, 0]] + [[c / 127.5 - 1 for c in reversed(rgb)] for rgb in COLOURS.values()]
    known = numpy.array(known, numpy.float32)
    # The square of a distance, but for what is the same for all: 2 a b - b b.
    nodes = [
        node("Slice", ["x", "first", "last", "axis"], ["rows"]),
        node("AveragePool", ["rows"], ["columns"], kernel_shape=[5, step], strides=[5, step]),
        node("Conv", ["columns", "colours", "squares"], ["near"]),
        node("Slice", ["near", "zero", "two", "one"], ["nothing"]),
        node("ReduceMax", ["nothing"], ["none"], axes=[1], keepdims=1),
        node("Slice", ["near", "two", "many", "one"], ["characters"]),
        node("Concat", ["none", "characters"], ["classes"], axis=1),
        node("Reshape", ["classes", "flat"], ["table"]),
        node("Transpose", ["table"], ["lines"], perm=[0, 2, 1]),
        node("Mul", ["lines", "slope"], ["logits"]),
        node("Softmax", ["logits"], ["scores"], axis=2),
    ]
    count = columns // step
    constants = {
        "first": numpy.array([8]),
        "last": numpy.array([13]),
        "axis": numpy.array([2]),
        "zero": numpy.array([0]),
        "one": numpy.array([1]),
        "two": numpy.array([2]),
        "many": numpy.array([len(known)]),
        "colours": (2 * known).reshape(len(known), 3, 1, 1),
        "squares": -(known * known).sum(axis=1),
        "flat": numpy.array([1, 1 + len(COLOURS), count]),
        "slope": numpy.float32(4),
    }
    save(name, nodes, {"x": [1, 3, rows, columns]}, {"scores": [1, count, 1 + len(COLOURS)]}, constants)


def line(text):
    width = len(text) * (BAR + GAP) + GAP
    picture = Image.new("RGB", (width, HEIGHT), GREY)
    draw = ImageDraw.Draw(picture)
    for at, letter in enumerate(text):
        left = GAP + at * (BAR + GAP)
        draw.rectangle([left, 0, left + BAR - 1, HEIGHT - 1], COLOURS[letter])
    draw.rectangle([0, HEIGHT - STRIPE, width - 1, HEIGHT - 1], (0, 0, 0))
    return picture


def page(lines):
    picture = Image.new("RGB", SIZE, "white")
    for text, middle, degrees in lines:
        one = Image.new("RGB", SIZE, "white")
        bars = line(text)
        one.paste(bars, (SIZE[0] // 2 - bars.width // 2, SIZE[1] // 2 - bars.height // 2))
        turned = one.rotate(
            -degrees,
            Image.Resampling.BICUBIC,
            translate=(middle[0] - SIZE[0] // 2, middle[1] - SIZE[1] // 2),
            fillcolor="white",
        )
        picture = Image.fromarray(numpy.minimum(numpy.asarray(picture), numpy.asarray(turned)))
    return picture


def main():
    (directory,) = sys.argv[1:]

    def path(name):
        return os.path.join(directory, name)

    detector(path("det.onnx"))
    angles(path("cls.onnx"))
    recogniser(path("rec.onnx"))
    with open(path("keys.txt"), "w", encoding="utf-8") as file:
        file.writelines(f"{letter}\n" for letter in COLOURS if letter != " ")
    for name, lines in PAGES.items():
        page(lines).save(path(name), optimize=True)
    page(PAGES["page.png"]).save(path("page.jpg"), quality=95, subsampling=0)


if __name__ == "__main__":
    main()
