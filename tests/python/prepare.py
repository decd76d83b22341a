#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes small models, inputs for all models, and what ONNX Runtime computes of them on the CPU.

usage: prepare.py DIR

DIR has the models whose shapes are fixed already (*.onnx); NAME.npz is written beside each: for each shape group G the inputs
`inG.TENSOR` and the outputs `outG.TENSOR`.
"""
import json
import os
import sys

import numpy
import onnxruntime

import onnx_file as onnx

# Shape groups of the models whose file leaves shapes open: as run.sh fixed them.
GROUPS = {
    "cls.onnx": [{"x": [1, 3, 48, 192]}],
    "rec.onnx": [{"x": [1, 3, 48, width]} for width in (320, 640, 960)],
    "slow.onnx": [{"x": [1, 3, 960, 960]}],
}


def small_models(directory):
    add = onnx.model(
        [onnx.node("Add", ["x", "one"], ["y"]), onnx.node("Mul", ["x", "x"], ["square"])],
        [onnx.value("x", onnx.FLOAT, [2, 3])],
        [onnx.value("y", onnx.FLOAT, [2, 3]), onnx.value("square", onnx.FLOAT, [2, 3])],
        [onnx.floats("one", [1.0])],
    )
    # What of a bfloat16 goes in and comes out is told apart from what only looks like it by the float beside it.
    brain = onnx.model(
        [
            onnx.node("Cast", ["x"], ["wide"], to=onnx.FLOAT),
            onnx.node("Add", ["wide", "wide"], ["twice"]),
            onnx.node("Cast", ["twice"], ["y"], to=onnx.BFLOAT16),
        ],
        [onnx.value("x", onnx.BFLOAT16, [4])],
        [onnx.value("wide", onnx.FLOAT, [4]), onnx.value("y", onnx.BFLOAT16, [4])],
    )
    half = onnx.model(
        [onnx.node("Add", ["x", "x"], ["y"]), onnx.node("Identity", ["n"], ["m"])],
        [onnx.value("x", onnx.FLOAT16, [5]), onnx.value("n", onnx.INT64, [3])],
        [onnx.value("y", onnx.FLOAT16, [5]), onnx.value("m", onnx.INT64, [3])],
    )
    for name, image in [("add", add), ("brain", brain), ("half", half)]:
        with open(os.path.join(directory, f"{name}.onnx"), "wb") as file:
            file.write(image)


def main():
    (directory,) = sys.argv[1:]
    small_models(directory)
    random = numpy.random.default_rng(650)
    for name in sorted(os.listdir(directory)):
        # ONNX Runtime's Python has no arrays of bfloat16; the cases know what comes of it.
        if not name.endswith(".onnx") or name == "brain.onnx":
            continue
        session = onnxruntime.InferenceSession(os.path.join(directory, name), providers=["CPUExecutionProvider"])
        arrays = {}
        for number, group in enumerate(GROUPS.get(name, [{info.name: info.shape for info in session.get_inputs()}])):
            feed = {}
            for info in session.get_inputs():
                values = random.standard_normal(group[info.name])
                kind = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(int64)": "int64"}[info.type]
                feed[info.name] = (values * (1000 if kind == "int64" else 1)).astype(kind)
                arrays[f"in{number}.{info.name}"] = feed[info.name]
            for info, array in zip(session.get_outputs(), session.run(None, feed)):
                arrays[f"out{number}.{info.name}"] = array
        numpy.savez(os.path.join(directory, name.replace(".onnx", ".npz")), **arrays)
        print(name, json.dumps({key: list(array.shape) for key, array in arrays.items()}))


if __name__ == "__main__":
    main()
