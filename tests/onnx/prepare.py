#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes the work for guest.sh and compare.py out of the node tests of ONNX.

usage: prepare.py NODES SHARE PLAN [GLOB...]

Each directory of NODES is one test: a model, its inputs and the outputs that the standard wants.  All,
or those whose names match a GLOB, are tried with ONNX Runtime on the CPU first; what that passes is for the card too:

    SHARE/cases.tsv             a line for each test: name, and files of the inputs in their order
    SHARE/in/NAME/              model.onnx and the inputs
    PLAN/plan.json              what has to come of each test
    PLAN/want/NAME/N.npy        the Nth output as the standard has it
    PLAN/runtime/NAME/N.npy     and as ONNX Runtime computed it
"""
import fnmatch
import json
import os
import sys
import time

import ml_dtypes
import numpy
import onnx
import onnxruntime

from compare import close_to_standard

# Types of ONNX Runtime whose tensors the card has a number for (truth values travel as bytes).
CARRIED = {
    f"tensor({kind})"
    for kind in "bool int8 uint8 int16 uint16 int32 uint32 int64 uint64 float16 bfloat16 float double".split()
}


class NotPassed(Exception):
    """ONNX Runtime itself does not pass the test."""


def open_session(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def tensors(directory, kind, infos):
    """The tensors of a test, of which there are as many as the model has."""
    found = []
    while os.path.exists(path := os.path.join(directory, f"{kind}_{len(found)}.pb")):
        with open(path, "rb") as file:
            found.append(onnx.numpy_helper.to_array(onnx.TensorProto.FromString(file.read())))
    if len(found) != len(infos):
        raise NotPassed(f"wants other {kind}s than the test has")
    for index, info in enumerate(infos):
        # ONNX's tests have them under the name of another type of the same size.
        if info.type == "tensor(bfloat16)" and found[index].dtype == numpy.uint16:
            found[index] = found[index].view(ml_dtypes.bfloat16)
    return found


def is_bfloat16(array):
    return array.dtype.name == "bfloat16"


def run(model, session, inputs):
    """What ONNX Runtime computes.  Its Python interface has no arrays of bfloat16: they go in as what they are made
    of, and come out as float, which has all their values."""
    wide = [out.name for out in session.get_outputs() if out.type == "tensor(bfloat16)"]
    if wide:
        edited = onnx.ModelProto.FromString(model)
        for out in edited.graph.output:
            if out.name in wide:
                cast = onnx.helper.make_node("Cast", [out.name], [f"{out.name}.float"], to=onnx.TensorProto.FLOAT)
                edited.graph.node.append(cast)
                out.name = cast.output[0]
                out.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        session = open_session(edited.SerializeToString())
    feed = {}
    for info, array in zip(session.get_inputs(), inputs):
        if is_bfloat16(array):
            array = onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(
                array.view(numpy.uint16), onnx.TensorProto.BFLOAT16
            )
        else:
            array = onnxruntime.OrtValue.ortvalue_from_numpy(array)
        feed[info.name] = array
    return [value.numpy() for value in session.run_with_ort_values(None, feed)]


def save(directory, index, array):
    """Writes an array as `ax650 run` takes and gives it, and returns its path."""
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"{index}.npy")
    if is_bfloat16(array):
        array = array.view("V2")
    numpy.save(path, numpy.array(array, order="C"))
    return path


def with_shapes(model, session, inputs):
    """The model; with the shapes of the inputs if it does not fix them, as the card needs that."""
    fixed = all(list(info.shape) == list(array.shape) for info, array in zip(session.get_inputs(), inputs))
    if fixed:
        return model
    edited = onnx.ModelProto.FromString(model)
    group = {info.name: array.shape for info, array in zip(session.get_inputs(), inputs)}
    edited.metadata_props.add(key="ax650.groups", value=json.dumps([group]))
    return edited.SerializeToString()


def prepare(name, test, share, plan):
    """The entry of the plan for one test, after its files were written."""
    with open(os.path.join(test, "model.onnx"), "rb") as file:
        model = file.read()
    try:
        session = open_session(model)
    except Exception as error:
        raise NotPassed("cannot load the model") from error
    kind = {"is": "run"}
    for info in session.get_inputs() + session.get_outputs():
        if info.type not in CARRIED:
            kind = {"is": "refused", "tensor": info.name, "type": info.type}
            break
    inputs, outputs = [], []
    if kind["is"] == "run":
        data = os.path.join(test, "test_data_set_0")
        inputs = tensors(data, "input", session.get_inputs())
        outputs = tensors(data, "output", session.get_outputs())
        try:
            computed = run(model, session, inputs)
        except Exception as error:
            raise NotPassed("cannot run the model") from error
        wide = [out.astype(numpy.float32) if is_bfloat16(out) else out for out in outputs]
        if not all(map(close_to_standard, computed, wide)):
            raise NotPassed("computes something else than the standard wants")
        for index, (want, have) in enumerate(zip(outputs, computed)):
            save(os.path.join(plan, "want", name), index, want)
            save(os.path.join(plan, "runtime", name), index, have)
        kind["outputs"] = len(outputs)
        model = with_shapes(model, session, inputs)
    directory = os.path.join(share, "in", name)
    os.makedirs(directory)
    with open(os.path.join(directory, "model.onnx"), "wb") as file:
        file.write(model)
    kind["inputs"] = [os.path.basename(save(directory, index, array)) for index, array in enumerate(inputs)]
    kind["empty"] = [array.size for array in inputs + outputs].count(0)
    return kind


def main():
    nodes, share, plan, *wanted = sys.argv[1:]
    names = sorted(os.listdir(nodes))
    if wanted:
        names = [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in wanted)]
    cases, unfit, shown = {}, {}, time.monotonic()
    for count, name in enumerate(names):
        try:
            cases[name] = prepare(name, os.path.join(nodes, name), share, plan)
        except NotPassed as why:
            unfit.setdefault(str(why), []).append(name)
        if time.monotonic() - shown > 5:
            print(f"{count} of {len(names)}", flush=True)
            shown = time.monotonic()
    with open(os.path.join(share, "cases.tsv"), "w", encoding="utf-8") as file:
        # The unusual ones first.
        usual = lambda case: case["is"] == "run" and not case["empty"] and bool(case["inputs"])
        for name, case in sorted(cases.items(), key=lambda item: usual(item[1])):
            file.write("\t".join([name, " ".join(case["inputs"])]) + "\n")
    with open(os.path.join(plan, "plan.json"), "w", encoding="utf-8") as file:
        json.dump({"cases": cases, "unfit": unfit, "runtime": onnxruntime.__version__}, file, indent=1)


if __name__ == "__main__":
    main()
