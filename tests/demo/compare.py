#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs what the card ran on the CPU with ONNX Runtime, and compares; compares the text with what was drawn.

usage: compare.py TENSORS MODEL_DIR TEXT

TENSORS and TEXT are what `ax650 ocr` wrote; MODEL_DIR has the models as published, not those made for the card.
Prints the largest difference of each model's outputs and fails if one is above the limit, or if the text is not that of the page.
"""
import csv
import json
import os
import sys

import numpy
import onnxruntime

from prepare import LINES

FILES = {
    "det": "ch_PP-OCRv4_det_infer.onnx",
    "cls": "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "rec": "ch_PP-OCRv4_rec_infer.onnx",
}
# Probabilities.  Two builds of an engine may sum in different orders.
LIMIT = 1e-3


def tensor(directory, dims, name):
    shape = [int(d) for d in dims.split("x")]
    return numpy.fromfile(os.path.join(directory, name), dtype="<f4").reshape(shape)


def check_text(path):
    with open(path, encoding="utf-8") as file:
        have = [line["text"] for line in json.loads(file.readline())["lines"]]
    want = [text for text, _ in LINES]
    # Spaces are what the recogniser is least sure of.
    if [text.replace(" ", "") for text in have] != [text.replace(" ", "") for text in want]:
        sys.exit(f"read: {have}; drawn: {want}")
    print(f"text: {len(have)} lines, as drawn")


def main():
    dump, models, text = sys.argv[1:]
    check_text(text)
    worst, runs = {}, {}
    sessions = {}
    with open(os.path.join(dump, "index.tsv"), encoding="utf-8") as index:
        for model, name, dims, given, out_dims, got in csv.reader(index, delimiter="\t"):
            if model not in sessions:
                path = os.path.join(models, FILES[model])
                sessions[model] = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            want = sessions[model].run(None, {name: tensor(dump, dims, given)})[0]
            have = tensor(dump, out_dims, got)
            if want.shape != have.shape:
                sys.exit(f"{model}: the card's output is {have.shape}, the CPU's {want.shape}")
            worst[model] = max(worst.get(model, 0.0), float(numpy.abs(want - have).max()))
            runs[model] = runs.get(model, 0) + 1
    if set(runs) != set(FILES):
        sys.exit(f"the card ran {sorted(runs)}, not {sorted(FILES)}")
    for model, difference in worst.items():
        print(f"{model}: {runs[model]} runs, largest difference from ONNX Runtime {onnxruntime.__version__} on the CPU: {difference:.2e}")
    bad = [model for model, difference in worst.items() if not difference <= LIMIT]
    if bad:
        sys.exit(f"more than {LIMIT}: {', '.join(bad)}")


if __name__ == "__main__":
    main()
