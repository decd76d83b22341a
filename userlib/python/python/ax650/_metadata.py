# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the file of a model says of it, if it is of ONNX's format: programs keep lists of labels there."""
import mmap
from typing import Any, Dict, Iterator, Tuple, Union

# Fields of ONNX's ModelProto and StringStringEntryProto.
_PRODUCER, _DOMAIN, _VERSION, _DESCRIPTION, _METADATA = 2, 4, 5, 6, 14
_KEY, _VALUE = 1, 2


def _varint(data: Any, at: int) -> Tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a number without end")


def _fields(data: Any) -> Iterator[Tuple[int, Union[int, Tuple[int, int]]]]:
    """Fields of a message: their numbers, with a number or the place of bytes."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if size > end - at:
            raise ValueError("a field that ends behind its message")
        yield tag >> 3, (at, at + size)
        at += size


def _text(data: Any, place: Any) -> str:
    return bytes(data[slice(*place)]).decode()


def read(model: Union[str, bytes]) -> Dict[str, Any]:
    """What there is: texts by name and, below `custom`, the custom ones.  Of files of other formats: nothing."""
    if isinstance(model, bytes):
        return _read(model)
    try:
        with open(model, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(data)
    except (OSError, ValueError):
        return {"custom": {}}


def _read(data: Any) -> Dict[str, Any]:
    custom: Dict[str, str] = {}
    found: Dict[str, Any] = {"custom": custom}
    names = {_PRODUCER: "producer_name", _DOMAIN: "domain", _DESCRIPTION: "description"}
    try:
        for number, value in _fields(data):
            if number == _VERSION and isinstance(value, int):
                found["version"] = value
            elif number in names and isinstance(value, tuple):
                found[names[number]] = _text(data, value)
            elif number == _METADATA and isinstance(value, tuple):
                entry = bytes(data[slice(*value)])
                parts = {key: _text(entry, place) for key, place in _fields(entry)}
                custom[parts[_KEY]] = parts.get(_VALUE, "")
    except (ValueError, TypeError, IndexError, KeyError):
        return {"custom": {}}
    return found
