#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Judges what the card made of the node tests of ONNX.

usage: compare.py PLAN OUT

PLAN is what prepare.py wrote; OUT/NAME has what `ax650 run` printed (log), its exit status (status)
and the outputs (*.npy).  Prints a table and every failure; fails if there is one.
"""
import glob
import json
import os
import sys

import numpy

# What ONNX's own test runner allows.
STANDARD = {"rtol": 1e-3, "atol": 1e-7}
# The card's library is another build of the same version: sums may go in another order.
RUNTIME = {"rtol": 1e-5, "atol": 1e-6}


def plain(array):
    """The array in a type that numpy computes with: bfloat16, which files have as V2, as float, truth values as
    bytes."""
    if array.dtype.kind == "V":
        bits = numpy.frombuffer(array.tobytes(), dtype="<u2").astype(numpy.uint32) << 16
        return bits.view(numpy.float32).reshape(array.shape)
    return array.view(numpy.uint8) if array.dtype == bool else array


def close(have, want, limits):
    have, want = plain(have), plain(want)
    if have.shape != want.shape or have.dtype != want.dtype:
        return False
    if have.dtype.kind != "f":
        return numpy.array_equal(have, want)
    return numpy.allclose(have, want, equal_nan=True, **limits)


def close_to_standard(have, want):
    return close(have, want, STANDARD)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def judge(plan, out, name, case):
    """What is wrong with the outcome of a test; nothing if all is well."""
    directory = os.path.join(out, name)
    status, log = read(os.path.join(directory, "status")), read(os.path.join(directory, "log"))
    if status == "":
        return "it was not run"
    last = log.splitlines()[-1] if log else "without a word"
    if case["is"] == "refused":
        # With a reason: the tensor by its name, and what it is.
        named = f'"{case["tensor"]}"' in log and "not a tensor of numbers" in log
        return None if status == "1" and named else f"exit status {status} instead of a refusal: {last}"
    if status != "0":
        return f"exit status {status}: {last}"
    found = sorted(glob.glob(os.path.join(glob.escape(directory), "*.npy")), key=number)
    if len(found) != case["outputs"]:
        return f"{len(found)} outputs instead of {case['outputs']}"
    for index, path in enumerate(found):
        have = numpy.load(path)
        for other, limits in [("want", STANDARD), ("runtime", RUNTIME)]:
            want = numpy.load(os.path.join(plan, other, name, f"{index}.npy"))
            if not close(have, want, limits):
                what = "the standard" if other == "want" else "ONNX Runtime"
                return f"output {index} is {text(have)}, {what} has {text(want)}"
    return None


def number(path):
    return int(os.path.basename(path).split("_")[0])


def text(array):
    shown = numpy.array2string(plain(array).ravel()[:4], separator=" ", threshold=4)
    return f"{array.dtype}{list(array.shape)} {shown}"


def kind(case):
    if case["is"] == "refused":
        return f"refused by name: {case['type']}"
    if case["empty"]:
        return "run, tensors without elements"
    return "run" if case["inputs"] else "run, without inputs"


def main():
    plan, out = sys.argv[1:]
    with open(os.path.join(plan, "plan.json"), encoding="utf-8") as file:
        content = json.load(file)
    table, failures = {}, []
    for name, case in content["cases"].items():
        wrong = judge(plan, out, name, case)
        counts = table.setdefault(kind(case), [0, 0])
        counts[wrong is not None] += 1
        if wrong:
            failures.append(f"{name}: {wrong}")
    print(f"{'KIND':50} {'PASSED':>7} {'FAILED':>7}")
    for row in sorted(table):
        print(f"{row:50} {table[row][0]:7} {table[row][1]:7}")
    for why, names in content["unfit"].items():
        print(f"{len(names)} tests are left out: ONNX Runtime {content['runtime']} {why}")
    for failure in failures:
        print(f"FAILED {failure}")
    passed = sum(counts[0] for counts in table.values())
    print(f"{passed} passed, {len(failures)} failed")
    if failures or not passed:
        sys.exit(1)


if __name__ == "__main__":
    main()
