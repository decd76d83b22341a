#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes a small detector of coloured squares, for tests: as compiled models have it, it takes bytes in the order NHWC, blue first,
and gives boxes as YOLOv8 does, 1 x (4 + 3) x 394.  Nothing of it is trained: the score of a place is how red, green
or blue a window of 32 or 16 pixels is on average.

usage: colours.py FILE
"""
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, STEP = 128, 8
WINDOWS = 32, 16
# How much of blue, green and red is red, green, blue.
COLOURS = [[-0.5, -0.5, 1.0], [-0.5, 1.0, -0.5], [1.0, -0.5, -0.5]]


def main():
    node = helper.make_node
    constants = {
        "colours": numpy.array(COLOURS, numpy.float32).reshape(3, 3, 1, 1),
        "flat": numpy.array([1, 3, -1], numpy.int64),
        "least": numpy.float32(100),
        "slope": numpy.float32(1 / 40),
    }
    nodes = [
        node("Cast", ["picture"], ["floats"], to=TensorProto.FLOAT),
        node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        node("Conv", ["planes", "colours"], ["coloured"]),
        node("Relu", ["coloured"], ["strength"]),
    ]
    boxes, parts = [], []
    for window in WINDOWS:
        pool = {"kernel_shape": [window, window], "strides": [STEP, STEP]}
        nodes += [
            node("AveragePool", ["strength"], [f"mean{window}"], **pool),
            node("Reshape", [f"mean{window}", "flat"], [f"flat{window}"]),
        ]
        parts.append(f"flat{window}")
        middles = numpy.arange(0, SIDE - window + 1, STEP) + window / 2
        y, x = numpy.meshgrid(middles, middles, indexing="ij")
        side = numpy.full(x.size, window)
        boxes.append(numpy.stack([x.ravel(), y.ravel(), side, side]))
    constants["boxes"] = numpy.concatenate(boxes, axis=1).astype(numpy.float32)[None]
    nodes += [
        node("Concat", parts, ["means"], axis=2),
        node("Sub", ["means", "least"], ["over"]),
        node("Mul", ["over", "slope"], ["logits"]),
        node("Sigmoid", ["logits"], ["scores"]),
        node("Concat", ["boxes", "scores"], ["found"], axis=1),
    ]
    places = constants["boxes"].shape[2]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, [1, 7, places])],
        [numpy_helper.from_array(numpy.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, sys.argv[1])


if __name__ == "__main__":
    main()
