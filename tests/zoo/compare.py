#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares what networks made of pictures on the card with what ONNX Runtime makes of them on the CPU.

usage: compare.py NETWORKS PIXELS OUT

NETWORKS is what networks.py wrote, PIXELS are the inputs as ffmpeg decodes, scales and converts the clip, OUT has what
`ax650 run` and `ax650 classify`, `detect` or `embed` told.  Prints a line for each network, and fails if one is too far off.
"""
import csv
import glob
import json
import os
import sys

import numpy
import onnxruntime

# The card's library is another build: sums may go in another order.
TENSOR = {"rtol": 1e-4, "atol": 1e-4}
# The commands round to 4 digits, and edges to a tenth of a pixel.
SCORE, EDGE = 1e-3, 0.2
# As guest.sh says, and the size of the clip's pictures.
THRESHOLD, SIZE, SIDE = 0.2, (640, 272), 64


def classes(line, wanted):
    have = {c["class"]: c["score"] for c in line["classes"]}
    assert sorted(have) == list(range(wanted.size)), have
    scores = [c["score"] for c in line["classes"]]
    assert scores == sorted(scores, reverse=True), scores
    return max(abs(have[at] - score) for at, score in enumerate(wanted.ravel()))


def vector(line, wanted):
    return float(numpy.abs(numpy.array(line["embedding"]) - wanted.ravel()).max())


def boxes(line, wanted):
    """All boxes above the threshold, each with its nearest; those at the threshold may be there or not."""
    table = wanted[0]
    scores, kinds = table[4:].max(axis=0), table[4:].argmax(axis=0)
    corners = numpy.concatenate([table[:2] - table[2:4] / 2, table[:2] + table[2:4] / 2])
    scale = numpy.array(SIZE * 2) / SIDE
    corners = numpy.clip(corners.T * scale, 0, SIZE * 2)
    sure = [at for at in range(scores.size) if scores[at] > THRESHOLD + SCORE]
    worst = 0.0
    for at in sure:
        near = [d for d in line["detections"] if d["class"] == kinds[at] and numpy.abs(d["box"] - corners[at]).max() <= EDGE]
        assert near, f"no box of class {kinds[at]} at {corners[at]}: {line}"
        worst = max(worst, min(abs(d["score"] - scores[at]) for d in near))
    most = sum(scores > THRESHOLD - SCORE)
    assert len(sure) <= len(line["detections"]) <= most and sure, f"{len(line['detections'])} boxes, not {len(sure)}"
    return worst


JUDGES = {"classify": classes, "detect": boxes, "embed": vector}


def judge(networks, pixels, out, name, command):
    """The largest differences of the tensor and of what the command has told."""
    session = onnxruntime.InferenceSession(os.path.join(networks, f"{name}.onnx"), providers=["CPUExecutionProvider"])
    wanted = [session.run(None, {"picture": picture})[0] for picture in pixels]
    # Random weights must not hide what is looked at.
    assert min(numpy.abs(one - wanted[0]).max() for one in wanted[1:]) > 10 * SCORE, "all pictures give the same"
    (file,) = glob.glob(os.path.join(out, name, "0_*.npy"))
    have = numpy.load(file)
    assert have.shape == wanted[0].shape and numpy.allclose(have, wanted[0], **TENSOR), f"{have}, not {wanted[0]}"
    with open(os.path.join(out, f"{name}.jsonl"), encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    assert len(lines) == len(pixels), f"{len(lines)} pictures"
    told = max(JUDGES[command](line, one) for line, one in zip(lines, wanted))
    assert told <= SCORE, f"scores differ by {told}"
    return float(numpy.abs(have - wanted[0]).max()), told


def main():
    networks, pixels, out = sys.argv[1:]
    pixels = numpy.fromfile(pixels, numpy.uint8).reshape(-1, 1, SIDE, SIDE, 3)
    passed, failed = 0, 0
    with open(os.path.join(networks, "zoo.tsv"), encoding="utf-8") as file:
        for name, command in csv.reader(file, delimiter="\t"):
            try:
                tensor, told = judge(networks, pixels, out, name, command)
            except (AssertionError, OSError, ValueError) as error:
                failed += 1
                print(f"FAILED {name}: {type(error).__name__}: {error}")
                continue
            passed += 1
            print(f"{name:14} {command:9} tensors differ by {tensor:.1e} at most, what {command} tells by {told:.1e}")
    print(f"{passed} passed, {failed} failed, with ONNX Runtime {onnxruntime.__version__} on the CPU")
    if failed or not passed:
        sys.exit(1)


if __name__ == "__main__":
    main()
