#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes a detector of faces as compiled models have it, of the published one.

usage: detector.py MODEL OUT LABELS

In front of the model comes what turns bytes in the order NHWC, blue first, into its input; behind it, a choice of the classes that are
faces.  LABELS gets their names.
"""
import ast
import sys

import onnx
from onnx import TensorProto, helper, numpy_helper
import numpy

SIDE = 320
BOX = 4


def main():
    source, target, labels = sys.argv[1:]
    model = onnx.load(source)
    names = ast.literal_eval(next(p.value for p in model.metadata_props if p.key == "names"))
    faces = [number for number, name in names.items() if name.startswith("FACE_")]
    graph = model.graph
    (wanted,), (given,) = graph.input, graph.output
    ahead = [
        helper.make_node("Cast", ["picture"], ["card.floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["card.floats", "card.unit"], ["card.scaled"]),
        helper.make_node("Transpose", ["card.scaled"], ["card.planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Gather", ["card.planes", "card.rgb"], [wanted.name], axis=1),
    ]
    behind = helper.make_node("Gather", [given.name, "card.faces"], ["found"], axis=1)
    constants = {
        "card.unit": numpy.float32(1 / 255),
        "card.rgb": numpy.array([2, 1, 0]),
        "card.faces": numpy.array([*range(BOX), *(BOX + face for face in faces)]),
    }
    nodes = [*ahead, *graph.node, behind]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(numpy.asarray(v), n) for n, v in constants.items())
    places = sum((SIDE // step) ** 2 for step in (8, 16, 32))
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, SIDE, SIDE, 3]))
    graph.output.append(helper.make_tensor_value_info("found", TensorProto.FLOAT, [1, BOX + len(faces), places]))
    onnx.checker.check_model(model)
    onnx.save(model, target)
    with open(labels, "w", encoding="utf-8") as out:
        out.writelines(names[face].replace("_", " ").lower() + "\n" for face in faces)


if __name__ == "__main__":
    main()
