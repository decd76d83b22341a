#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the input of the model, and compares what the card has made of it with ONNX Runtime.

usage: model.py input FILE
       model.py check MODEL INPUT OUTPUT

MODEL is as published, not the one made for the card.  Prints the largest difference and fails if it is above the limit.
"""
import sys

import numpy

# Probabilities.  Two builds of an engine may sum in different orders.
LIMIT = 1e-3
SHAPE = (1, 3, 48, 192)


def main():
    if sys.argv[1] == "input":
        values = numpy.random.default_rng(650).uniform(-1, 1, SHAPE)
        values.astype("<f4").tofile(sys.argv[2])
        return None
    import onnxruntime

    model, given, got = sys.argv[2:]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    want = session.run(None, {name: numpy.fromfile(given, dtype="<f4").reshape(SHAPE)})[0]
    got = numpy.fromfile(got, dtype="<f4")
    if got.size != want.size:
        return f"{got.size} values, not {want.size}"
    difference = float(numpy.abs(got - want.ravel()).max())
    print(f"largest difference {difference:.2g}")
    # Not a number is above it, too.
    return None if difference <= LIMIT else f"above {LIMIT}"


if __name__ == "__main__":
    sys.exit(main())
