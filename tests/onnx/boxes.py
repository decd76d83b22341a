#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes an output of a detector, and the boxes in it that ONNX Runtime's NonMaxSuppression keeps.

usage: boxes.py DIR

    DIR/boxes.bin   1 x (4 + 3) x 160 float32: clusters of boxes around a few places, and noise
    DIR/boxes.txt   a line for each box that counts: class, score, left, top, right, bottom
"""
import sys

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper

PLACES, CLASSES = 160, 3
THRESHOLD, OVERLAP = 0.25, 0.45


def output():
    rng = numpy.random.default_rng(650)
    table = numpy.empty((4 + CLASSES, PLACES), numpy.float32)
    centres = rng.uniform(40, 280, (12, 2))
    sizes = rng.uniform(20, 80, (12, 2))
    which = rng.integers(0, 12, PLACES)
    table[0:2] = (centres[which] + rng.normal(0, 6, (PLACES, 2))).T
    table[2:4] = (sizes[which] * rng.uniform(0.8, 1.25, (PLACES, 2))).T
    # Most places see nothing; the others mostly the class of their cluster.
    table[4:] = rng.uniform(0, 0.2, (CLASSES, PLACES))
    seen = rng.uniform(size=PLACES) < 0.6
    kinds = numpy.where(rng.uniform(size=PLACES) < 0.85, which % CLASSES, rng.integers(0, CLASSES, PLACES))
    table[4 + kinds[seen], numpy.flatnonzero(seen)] = rng.uniform(0.2, 0.99, seen.sum())
    return table


def suppress(boxes, scores):
    """Which (class, place) the operator keeps."""
    inputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, PLACES, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, CLASSES, PLACES]),
    ]
    constants = [
        helper.make_tensor("most", TensorProto.INT64, [1], [PLACES]),
        helper.make_tensor("overlap", TensorProto.FLOAT, [1], [OVERLAP]),
        helper.make_tensor("threshold", TensorProto.FLOAT, [1], [THRESHOLD]),
    ]
    names = ["boxes", "scores", "most", "overlap", "threshold"]
    node = helper.make_node("NonMaxSuppression", names, ["kept"], center_point_box=1)
    kept = helper.make_tensor_value_info("kept", TensorProto.INT64, [None, 3])
    graph = helper.make_graph([node], "suppress", inputs, [kept], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (chosen,) = session.run(None, {"boxes": boxes[None], "scores": scores[None]})
    return [(kind, place) for _, kind, place in chosen]


def main():
    table = output()
    scores = table[4:].copy()
    # A place has the class that it is surest of, and no other.
    scores[scores < scores.max(axis=0)] = 0
    kept = suppress(numpy.ascontiguousarray(table[:4].T), scores)
    kept.sort(key=lambda found: -scores[found])
    with open(f"{sys.argv[1]}/boxes.bin", "wb") as file:
        file.write(table.astype("<f4").tobytes())
    two = numpy.float32(2)
    with open(f"{sys.argv[1]}/boxes.txt", "w", encoding="utf-8") as file:
        file.write("# class, score, left, top, right, bottom; made by tests/onnx/boxes.py\n")
        for kind, place in kept:
            x, y, width, height = table[:4, place]
            edges = x - width / two, y - height / two, x + width / two, y + height / two
            numbers = [scores[kind, place], *edges]
            file.write(" ".join([str(kind), *(numpy.format_float_positional(n, unique=True) for n in numbers)]) + "\n")


if __name__ == "__main__":
    main()
