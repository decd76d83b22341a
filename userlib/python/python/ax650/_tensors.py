# SPDX-License-Identifier: MIT OR Apache-2.0
"""Inputs and outputs of models, and numpy arrays that look at them."""
from typing import Any, List, Optional, Sequence, Tuple

import numpy

from ._errors import InvalidError

# ONNX Runtime's names of numpy's types, where they differ.
_ONNX_NAMES = {"float32": "float", "float64": "double"}


def _numpy_dtype(kind: str, numpy_name: Optional[str]) -> Optional[numpy.dtype]:
    if numpy_name is not None:
        return numpy.dtype(numpy_name)
    if kind == "bf16":
        try:
            import ml_dtypes
        except ImportError:
            return None
        return numpy.dtype(ml_dtypes.bfloat16)
    return None


class Tensor:
    """An input or output of a model: `name`, `dtype` (numpy's name of it), `shape`, in one shape group."""

    __slots__ = ("name", "dtype", "shape", "layout", "size", "_dtype")

    def __init__(self, name: str, kind: str, numpy_name: Optional[str], layout: str, shape: Sequence[int], size: int):
        self.name = name
        self._dtype = _numpy_dtype(kind, numpy_name)
        self.dtype = "bfloat16" if kind == "bf16" else numpy_name or kind
        self.shape = list(shape)
        self.layout = layout
        #: Bytes in memory: those of the elements, and maybe some behind them.
        self.size = size

    @property
    def type(self) -> str:
        """The type as ONNX Runtime names it: `tensor(float)`."""
        return f"tensor({_ONNX_NAMES.get(self.dtype, self.dtype)})"

    def __repr__(self) -> str:
        return f"Tensor(name={self.name!r}, dtype={self.dtype!r}, shape={self.shape})"

    def view(self, memory: Any) -> numpy.ndarray:
        """The elements in `memory`, in place.  Types that numpy has not are bytes."""
        raw = numpy.asarray(memory)
        if self._dtype is None:
            if self.dtype == "bfloat16":
                raise InvalidError(f"tensor `{self.name}` is bfloat16: numpy needs the package ml_dtypes for that")
            return raw
        count = 1
        for dim in self.shape:
            count *= dim
        needed = count * self._dtype.itemsize
        if needed > raw.size:
            raise InvalidError(f"tensor `{self.name}` of shape {self.shape} {self.dtype} is not in {raw.size} bytes")
        return raw[:needed].view(self._dtype).reshape(self.shape)

    def array(self, value: Any) -> numpy.ndarray:
        """The caller's value as an array of the tensor's type.  Numbers are not converted unless they have no type."""
        if self._dtype is None and self.dtype == "bfloat16":
            raise InvalidError(f"tensor `{self.name}` is bfloat16: numpy needs the package ml_dtypes for that")
        want = self._dtype or numpy.dtype("uint8")
        if not isinstance(value, (numpy.ndarray, numpy.generic)):
            try:
                return numpy.asarray(value, dtype=want)
            except (TypeError, ValueError, OverflowError) as error:
                raise InvalidError(f"input `{self.name}`: {error}") from error
        array = numpy.asarray(value)
        if array.dtype == want:
            return array
        # Truth values travel as bytes.
        if array.dtype == numpy.bool_ and want in (numpy.uint8, numpy.int8):
            return array.view(want)
        raise InvalidError(f"input `{self.name}` is of type {array.dtype}, but the model takes {self.dtype}")


def groups_of(told: List[Tuple], count: int) -> List[List[Tensor]]:
    """The tensors in each shape group, from what the compiled part tells."""
    return [
        [
            Tensor(name, kind, numpy_name, layout, *shapes[group])
            for name, kind, numpy_name, layout, shapes in told
        ]
        for group in range(count)
    ]
