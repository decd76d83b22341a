#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Looks with ONNX Runtime on the CPU at what the card has looked at, and compares the boxes.

usage: boxes.py MODEL TENSORS FOUND WIDTH HEIGHT

TENSORS holds the inputs of the model, one after the other: each picture scaled into the middle and converted by ffmpeg as the
emulated card does it.  FOUND is what `ax650 detect` has printed.  Boxes are chosen here once more, in another language.
"""
import json
import sys

import numpy
import onnxruntime

THRESHOLD, OVERLAP = 0.25, 0.45
# The command rounds edges to 0.1 and scores to 0.0001; two builds of an engine may sum in different orders.
EDGE, SCORE = 0.2, 1e-3


def overlap(box, others):
    low = numpy.maximum(box[:2], others[:, :2])
    high = numpy.minimum(box[2:], others[:, 2:])
    common = numpy.prod(numpy.clip(high - low, 0, None), axis=1)
    area = lambda b: numpy.prod(b[..., 2:] - b[..., :2], axis=-1)
    return common / (area(box) + area(others) - common)


def choose(table):
    """Rows of class, score and edges, in pixels of the input."""
    kinds, scores = table[4:].argmax(axis=0), table[4:].max(axis=0)
    middles, sizes = table[:2].T, table[2:4].T
    boxes = numpy.concatenate([middles - sizes / 2, middles + sizes / 2], axis=1)
    order = [at for at in numpy.argsort(-scores, kind="stable") if scores[at] >= THRESHOLD]
    kept = []
    while order:
        best, order = order[0], order[1:]
        kept.append((kinds[best], scores[best], boxes[best]))
        rest = numpy.array(order, int)
        same = (overlap(boxes[best], boxes[rest]) > OVERLAP) & (kinds[rest] == kinds[best])
        order = list(rest[~same])
    return kept


def place(side, width, height):
    """Where the picture is in the input: first column and row, columns and rows."""
    scale = min(side / width, side / height)
    even = lambda size: min(side, (int(size + 0.5) + 1) // 2 * 2)
    across, down = even(width * scale), even(height * scale)
    return (side - across) // 4 * 2, (side - down) // 4 * 2, across, down


def main():
    model, tensors, found = sys.argv[1:4]
    size = numpy.array([int(text) for text in sys.argv[4:]])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    side = given.shape[1]
    inputs = numpy.fromfile(tensors, numpy.uint8).reshape(-1, *given.shape)
    lines = [json.loads(line) for line in open(found, encoding="utf-8")]
    if len(lines) != len(inputs):
        sys.exit(f"the card has looked at {len(lines)} pictures, ffmpeg has decoded {len(inputs)}")
    left, top, across, down = place(side, *size)
    corner, inner = numpy.array([left, top] * 2), numpy.array([across, down] * 2)
    boxes, edge, score = 0, 0.0, 0.0
    for number, (line, tensor) in enumerate(zip(lines, inputs)):
        wanted = choose(session.run(None, {given.name: tensor})[0][0])
        have = line["detections"]
        if [kind for kind, _, _ in wanted] != [d["class"] for d in have]:
            sys.exit(f"picture {number}: the card found {have}, ONNX Runtime {wanted}")
        for (_, sure, box), d in zip(wanted, have):
            box = numpy.clip((box - corner) * numpy.tile(size, 2) / inner, 0, numpy.tile(size, 2))
            edge = max(edge, float(numpy.abs(box - d["box"]).max()))
            score = max(score, abs(float(sure) - d["score"]))
            boxes += 1
    print(
        f"{boxes} boxes in {len(lines)} pictures are those of ONNX Runtime {onnxruntime.__version__} on the CPU: "
        f"largest differences {edge:.2f} pixels and {score:.5f} of a score"
    )
    if boxes == 0 or edge > EDGE or score > SCORE:
        sys.exit(f"no boxes, or more than {EDGE} pixels or {SCORE}")


if __name__ == "__main__":
    main()
