#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes a model that takes a picture of 48x32: one output is its numbers plus 1, the other their squares.

usage: model.py FILE
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../python"))
import onnx_file as onnx  # pylint: disable=wrong-import-position

SHAPE = [1, 3, 32, 48]


def main():
    (path,) = sys.argv[1:]
    image = onnx.model(
        [onnx.node("Add", ["x", "one"], ["y"]), onnx.node("Mul", ["x", "x"], ["square"])],
        [onnx.value("x", onnx.FLOAT, SHAPE)],
        [onnx.value("y", onnx.FLOAT, SHAPE), onnx.value("square", onnx.FLOAT, SHAPE)],
        [onnx.floats("one", [1.0])],
    )
    with open(path, "wb") as file:
        file.write(image)


if __name__ == "__main__":
    main()
