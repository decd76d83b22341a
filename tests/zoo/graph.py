# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes networks as ONNX, an operator at a time, as exporters of trained ones do.  All weights are random, from a fixed seed."""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
# Of ImageNet, red first.
MEAN = [123.675, 116.28, 103.53]
DEVIATION = [58.395, 57.12, 57.375]


class Graph:
    """A network that is being written.  Methods take and return names of tensors."""

    def __init__(self, name, seed):
        self.name = name
        self.random = numpy.random.default_rng(seed)
        self.nodes, self.constants = [], []

    def op(self, kind, *inputs, **attributes):
        out = f"{kind.lower()}{len(self.nodes)}"
        # Names, as ONNX Runtime makes names of those of what it puts together.
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=out, **attributes))
        return out

    def constant(self, value, kind=numpy.float32):
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(numpy.asarray(value, kind), name))
        return name

    def integers(self, *values):
        return self.constant(values, numpy.int64)

    def weights(self, *dims, fan=None, scale=1.0):
        """Random numbers that leave what goes through them about as large as it was."""
        deviation = scale / numpy.sqrt(fan or 1)
        return self.constant(self.random.normal(0, deviation, dims))

    # -- layers --------------------------------------------------------------------------------------

    def picture(self, x):
        """Bytes in the order NHWC, blue first, as planes, red first, as networks are trained with."""
        floats = self.op("Cast", x, to=TensorProto.FLOAT)
        planes = self.op("Transpose", floats, perm=[0, 3, 1, 2])
        planes = self.op("Gather", planes, self.integers(2, 1, 0), axis=1)
        less = self.op("Sub", planes, self.constant(numpy.reshape(MEAN, (1, 3, 1, 1))))
        return self.op("Div", less, self.constant(numpy.reshape(DEVIATION, (1, 3, 1, 1))))

    def conv(self, x, into, out, kernel, stride=1, groups=1, padding=None):
        padding = kernel // 2 if padding is None else padding
        weights = self.weights(out, into // groups, kernel, kernel, fan=into // groups * kernel * kernel)
        return self.op(
            "Conv", x, weights, self.weights(out, scale=0.1), strides=[stride] * 2, pads=[padding] * 4, group=groups
        )

    def batch_norm(self, x, channels):
        mean, variance = self.weights(channels, scale=0.1), self.constant(self.random.uniform(0.5, 1.5, channels))
        return self.op("BatchNormalization", x, self.constant(numpy.ones(channels)), self.weights(channels, scale=0.1), mean, variance)

    def linear(self, x, into, out, scale=1.0):
        product = self.op("MatMul", x, self.weights(into, out, fan=into, scale=scale))
        return self.op("Add", product, self.weights(out, scale=0.1))

    def layer_norm(self, x, width):
        gain = self.constant(self.random.normal(1, 0.1, width))
        return self.op("LayerNormalization", x, gain, self.weights(width, scale=0.1), axis=-1, epsilon=1e-6)

    def gelu(self, x):
        inner = self.op("Erf", self.op("Div", x, self.constant(numpy.sqrt(2))))
        return self.op("Mul", self.op("Mul", x, self.op("Add", inner, self.constant(1))), self.constant(0.5))

    def quick_gelu(self, x):
        return self.op("Mul", x, self.op("Sigmoid", self.op("Mul", x, self.constant(1.702))))

    def mlp(self, x, width, activation=None):
        hidden = self.linear(x, width, 4 * width)
        return self.linear((activation or self.gelu)(hidden), 4 * width, width)

    def shaped(self, x, *dims):
        return self.op("Reshape", x, self.integers(*dims))

    def attention(self, queries, keys, width, heads, bias=None):
        """Attention of several heads; `bias` is added to what is looked at how much."""
        head = width // heads

        def split(x, perm):
            return self.op("Transpose", self.shaped(self.linear(x, width, width), 0, -1, heads, head), perm=perm)

        query, value = split(queries, [0, 2, 1, 3]), split(keys, [0, 2, 1, 3])
        key = split(keys, [0, 2, 3, 1])
        scores = self.op("Mul", self.op("MatMul", query, key), self.constant(head**-0.5))
        for more in bias or []:
            scores = self.op("Add", scores, more)
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        mixed = self.shaped(self.op("Transpose", mixed, perm=[0, 2, 1, 3]), 0, -1, width)
        return self.linear(mixed, width, width)

    def first(self, x, at=0):
        """A token of a row of them."""
        return self.op("Gather", x, self.constant(at, numpy.int64), axis=1)

    # -- the end -------------------------------------------------------------------------------------

    def save(self, path, side, output, dims):
        self.nodes.append(helper.make_node("Identity", [output], ["result"], name="result"))
        picture = helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, side, side, 3])
        result = helper.make_tensor_value_info("result", TensorProto.FLOAT, dims)
        graph = helper.make_graph(self.nodes, self.name, [picture], [result], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
