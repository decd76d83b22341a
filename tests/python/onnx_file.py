# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes small ONNX models, as far as the tests need them: the format's own package is large."""
import struct

FLOAT, UINT8, INT64, FLOAT16, BFLOAT16 = 1, 2, 7, 10, 16


def _varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number, value):
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, str):
        value = value.encode()
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def node(kind, inputs, outputs, **attributes):
    """A node; attributes are whole numbers."""
    text = b"".join(_field(1, name) for name in inputs) + b"".join(_field(2, name) for name in outputs) + _field(4, kind)
    for name, value in attributes.items():
        text += _field(5, _field(1, name) + _field(3, value) + _field(20, 2))
    return text


def value(name, kind, shape):
    """An input or output."""
    dims = b"".join(_field(1, _field(1, dim)) for dim in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, dims)))


def floats(name, numbers):
    """A constant."""
    return _field(1, len(numbers)) + _field(2, FLOAT) + _field(8, name) + _field(9, struct.pack(f"<{len(numbers)}f", *numbers))


def model(nodes, inputs, outputs, constants=()):
    """The file."""
    graph = b"".join(_field(1, text) for text in nodes) + _field(2, "graph")
    graph += b"".join(_field(5, text) for text in constants)
    graph += b"".join(_field(11, text) for text in inputs) + b"".join(_field(12, text) for text in outputs)
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 17))
