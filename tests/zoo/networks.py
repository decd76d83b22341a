#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes small networks of the families that are in use for pictures.  Their structure is that of the published ones, their sizes
are a few percent, and their weights are random: what they find in a picture means nothing.

usage: networks.py DIR

DIR gets NAME.onnx for each, and zoo.tsv: name, and the command of `ax650` that takes it.
"""
import os
import sys

import numpy

from graph import Graph

SIDE = 64
CLASSES = 10


def tokens(net, x, patch, width, extra=1):
    """Patches of a picture as tokens, behind `extra` learned ones, with learned places."""
    x = net.conv(x, 3, width, patch, stride=patch, padding=0)
    count = (SIDE // patch) ** 2
    x = net.op("Transpose", net.shaped(x, 1, width, count), perm=[0, 2, 1])
    x = net.op("Concat", net.weights(1, extra, width), x, axis=1)
    return net.op("Add", x, net.weights(1, count + extra, width, scale=0.5))


def block(net, x, width, heads, activation=None, scales=False):
    """A layer of a transformer; with `scales` as CaiT and DINOv2 have it."""

    def scaled(y):
        return net.op("Mul", y, net.constant(net.random.uniform(0.2, 1, width))) if scales else y

    normal = net.layer_norm(x, width)
    x = net.op("Add", x, scaled(net.attention(normal, normal, width, heads)))
    return net.op("Add", x, scaled(net.mlp(net.layer_norm(x, width), width, activation)))


def vit(net, x, width=64, heads=4):
    x = tokens(net, net.picture(x), 8, width)
    for _ in range(3):
        x = block(net, x, width, heads)
    x = net.first(net.layer_norm(x, width))
    return net.linear(x, width, CLASSES, scale=3), [1, CLASSES]


def deit(net, x, width=48, heads=3):
    """The mean of what the class token and the distillation token say."""
    x = tokens(net, net.picture(x), 8, width, extra=2)
    for _ in range(3):
        x = block(net, x, width, heads)
    x = net.layer_norm(x, width)
    both = [net.linear(net.first(x, at), width, CLASSES, scale=3) for at in (0, 1)]
    return net.op("Mul", net.op("Add", *both), net.constant(0.5)), [1, CLASSES]


def roll(net, x, by, axis):
    """What is beyond one end comes in at the other, as torch.roll is exported."""

    def part(begin, end):
        return net.op("Slice", x, net.integers(begin), net.integers(end), net.integers(axis))

    return net.op("Concat", part(-by, 2**31), part(0, -by), axis=axis)


def swin_mask(side, window, shift):
    """Windows that were put together of two ends do not look across."""
    region = numpy.zeros((side, side))
    spans = [slice(0, -window), slice(-window, -shift), slice(-shift, None)]
    for number, (rows, columns) in enumerate((a, b) for a in spans for b in spans):
        region[rows, columns] = number
    parts = region.reshape(side // window, window, side // window, window).transpose(0, 2, 1, 3).reshape(-1, window**2)
    return numpy.where(parts[:, :, None] == parts[:, None, :], 0, -100)[:, None]


def swin_block(net, x, side, width, heads, window, shift):
    short, windows, inside = x, (side // window) ** 2, window**2
    x = net.shaped(net.layer_norm(x, width), 1, side, side, width)
    if shift:
        x = roll(net, roll(net, x, -shift, 1), -shift, 2)
    grid = side // window
    x = net.op("Transpose", net.shaped(x, 1, grid, window, grid, window, width), perm=[0, 1, 3, 2, 4, 5])
    x = net.shaped(x, windows, inside, width)
    # How far apart two places are, by a table.
    places = numpy.stack(numpy.meshgrid(numpy.arange(window), numpy.arange(window), indexing="ij")).reshape(2, -1)
    apart = places[:, :, None] - places[:, None, :] + window - 1
    table = net.weights((2 * window - 1) ** 2, heads)
    bias = net.op("Gather", table, net.constant(apart[0] * (2 * window - 1) + apart[1], numpy.int64), axis=0)
    bias = [net.op("Unsqueeze", net.op("Transpose", bias, perm=[2, 0, 1]), net.integers(0))]
    if shift:
        bias.append(net.constant(swin_mask(side, window, shift)))
    x = net.attention(x, x, width, heads, bias)
    x = net.op("Transpose", net.shaped(x, 1, grid, grid, window, window, width), perm=[0, 1, 3, 2, 4, 5])
    x = net.shaped(x, 1, side, side, width)
    if shift:
        x = roll(net, roll(net, x, shift, 1), shift, 2)
    x = net.op("Add", short, net.shaped(x, 1, side * side, width))
    return net.op("Add", x, net.mlp(net.layer_norm(x, width), width))


def swin(net, x, width=32, window=4):
    x = net.conv(net.picture(x), 3, width, 4, stride=4, padding=0)
    side, heads = SIDE // 4, 2
    x = net.op("Transpose", net.shaped(x, 1, width, side * side), perm=[0, 2, 1])
    x = net.layer_norm(x, width)
    for stage in range(2):
        if stage:
            # Four neighbours become one of twice the width.
            x = net.shaped(x, 1, side, side, width)
            ends = [net.integers(2**31, 2**31), net.integers(1, 2), net.integers(2, 2)]
            corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
            x = net.op("Concat", *[net.op("Slice", x, net.integers(*at), *ends) for at in corners], axis=-1)
            side, width, heads = side // 2, 2 * width, 2 * heads
            x = net.layer_norm(net.shaped(x, 1, side * side, 2 * width), 2 * width)
            x = net.op("MatMul", x, net.weights(2 * width, width, fan=2 * width))
        for shift in (0, window // 2):
            x = swin_block(net, x, side, width, heads, window, shift)
    x = net.op("ReduceMean", net.layer_norm(x, width), axes=[1], keepdims=0)
    return net.linear(x, width, CLASSES, scale=3), [1, CLASSES]


def places_of_waves(side, width):
    """Places of a picture as sines and cosines, half of them across and half down."""
    steps = 10000 ** (numpy.arange(0, width // 2, 2) / (width // 2))
    y, x = numpy.meshgrid(numpy.arange(side), numpy.arange(side), indexing="ij")

    def waves(at):
        angles = at.reshape(-1, 1) * 2 * numpy.pi / side / steps
        return numpy.concatenate([numpy.sin(angles), numpy.cos(angles)], axis=1)

    return numpy.concatenate([waves(y), waves(x)], axis=1)[None]


def detr(net, x, width=64, heads=4, queries=32, classes=3):
    """With what makes one output of its two behind it, as `ax650 detect` takes it."""
    x = net.picture(x)
    for into, out in ((3, 16), (16, 32), (32, width)):
        x = net.op("Relu", net.batch_norm(net.conv(x, into, out, 3, stride=2), out))
    side = SIDE // 8
    x = net.conv(x, width, width, 1)
    memory = net.op("Transpose", net.shaped(x, 1, width, side * side), perm=[0, 2, 1])
    places = net.constant(places_of_waves(side, width))

    def normal(y, more):
        return net.layer_norm(net.op("Add", y, more), width)

    placed = net.op("Add", memory, places)
    memory = normal(memory, net.attention(placed, placed, width, heads))
    memory = normal(memory, net.mlp(memory, width, lambda y: net.op("Relu", y)))
    asked = net.weights(1, queries, width, scale=2)
    x = net.layer_norm(asked, width)
    x = normal(x, net.attention(x, x, width, heads))
    x = normal(x, net.attention(net.op("Add", x, asked), net.op("Add", memory, places), width, heads))
    x = normal(x, net.mlp(x, width, lambda y: net.op("Relu", y)))
    # The last class is none.
    scores = net.op("Softmax", net.linear(x, width, classes + 1, scale=3), axis=-1)
    scores = net.op("Slice", scores, net.integers(0), net.integers(classes), net.integers(2))
    boxes = net.linear(net.op("Relu", net.linear(x, width, width)), width, 4)
    boxes = net.op("Mul", net.op("Sigmoid", boxes), net.constant(SIDE))
    both = net.op("Concat", boxes, scores, axis=2)
    return net.op("Transpose", both, perm=[0, 2, 1]), [1, 4 + classes, queries]


def efficientvit(net, x, width=32, heads=4):
    """Convolutions, and attention without softmax, whose cost grows with the number of places only."""

    def swish(y):
        return net.op("HardSwish", y)

    def inverted(y, into, out, stride=1):
        hidden = 4 * into
        z = swish(net.batch_norm(net.conv(y, into, hidden, 1), hidden))
        z = swish(net.batch_norm(net.conv(z, hidden, hidden, 3, stride=stride, groups=hidden), hidden))
        z = net.batch_norm(net.conv(z, hidden, out, 1), out)
        return net.op("Add", y, z) if stride == 1 and into == out else z

    x = swish(net.batch_norm(net.conv(net.picture(x), 3, 16, 3, stride=2), 16))
    x = inverted(x, 16, 16)
    x = inverted(x, 16, width, stride=2)
    x = inverted(x, width, width, stride=2)
    side, head = SIDE // 8, width // heads
    for _ in range(2):
        three = net.conv(x, width, 3 * width, 1)
        # At a second scale as well.
        wide = net.conv(net.conv(three, 3 * width, 3 * width, 5, groups=3 * width), 3 * width, 3 * width, 1, groups=3 * heads)
        both = net.shaped(net.op("Concat", three, wide, axis=1), 1, 2 * heads, 3 * head, side * side)
        query, key, value = (
            net.op("Slice", both, net.integers(at * head), net.integers((at + 1) * head), net.integers(2)) for at in range(3)
        )
        query, key = net.op("Relu", query), net.op("Relu", key)
        value = net.op("Pad", value, net.integers(0, 0, 0, 0, 0, 0, 1, 0), net.constant(1))
        mixed = net.op("MatMul", net.op("MatMul", value, net.op("Transpose", key, perm=[0, 1, 3, 2])), query)
        above = net.op("Slice", mixed, net.integers(0), net.integers(head), net.integers(2))
        below = net.op("Slice", mixed, net.integers(head), net.integers(head + 1), net.integers(2))
        mixed = net.op("Div", above, net.op("Add", below, net.constant(1e-5)))
        mixed = net.shaped(mixed, 1, 2 * width, side, side)
        x = net.op("Add", x, net.batch_norm(net.conv(mixed, 2 * width, width, 1), width))
        x = inverted(x, width, width)
    x = net.op("Flatten", net.op("GlobalAveragePool", x))
    return net.linear(x, width, CLASSES, scale=3), [1, CLASSES]


def dinov2(net, x, width=64, heads=4):
    """Patches with odd sides, layers with scales; the vector is the class token's."""
    x = net.op("Resize", net.picture(x), "", "", net.integers(1, 3, 56, 56), mode="cubic", cubic_coeff_a=-0.75)
    x = net.conv(x, 3, width, 14, stride=14, padding=0)
    x = net.op("Transpose", net.shaped(x, 1, width, 16), perm=[0, 2, 1])
    x = net.op("Add", net.op("Concat", net.weights(1, 1, width), x, axis=1), net.weights(1, 17, width, scale=0.5))
    # Four registers.
    parts = net.op("Split", x, net.integers(1, 16), axis=1)
    net.nodes[-1].output.append(parts + "b")
    x = net.op("Concat", parts, net.weights(1, 4, width), parts + "b", axis=1)
    for _ in range(3):
        x = block(net, x, width, heads, scales=True)
    return net.first(net.layer_norm(x, width)), [1, width]


def clip(net, x, width=64, heads=4, out=32):
    """The half that looks at pictures: norm ahead of the layers, its own activation, a projection."""
    x = net.layer_norm(tokens(net, net.picture(x), 8, width), width)
    for _ in range(3):
        x = block(net, x, width, heads, activation=net.quick_gelu)
    x = net.first(net.layer_norm(x, width))
    return net.op("MatMul", x, net.weights(width, out, fan=width)), [1, out]


ZOO = {
    "vit": (vit, "classify"),
    "deit": (deit, "classify"),
    "swin": (swin, "classify"),
    "efficientvit": (efficientvit, "classify"),
    "detr": (detr, "detect"),
    "dinov2": (dinov2, "embed"),
    "clip": (clip, "embed"),
}


def main():
    (directory,) = sys.argv[1:]
    with open(os.path.join(directory, "zoo.tsv"), "w", encoding="utf-8") as list_of_all:
        for seed, (name, (network, command)) in enumerate(ZOO.items()):
            net = Graph(name, 650 + seed)
            output, dims = network(net, "picture")
            net.save(os.path.join(directory, f"{name}.onnx"), SIDE, output, dims)
            list_of_all.write(f"{name}\t{command}\n")


if __name__ == "__main__":
    main()
