# SPDX-License-Identifier: MIT OR Apache-2.0
"""Inference and codec jobs on AX650N accelerator cards.

    import ax650
    with ax650.Session() as session, session.load("model.axmodel") as model:
        outputs = model.run({"images": array})

`InferenceSession` is the same in the call shape of ONNX Runtime.  Errors are exceptions below `Error`.
"""
from ._ax650 import __version__
from ._errors import (
    BusyError,
    CardError,
    Error,
    InvalidError,
    LostSessionError,
    NoCardError,
    NoMemoryError,
    OtherError,
    PermissionError,
    TimeoutError,
)
from ._image import Image, ImageProcessor
from ._media import Decoder, Encoder, Packet, Picture, decode_jpeg, split_packets, stream_size
from ._model import Binding, Card, CardInfo, Model, Run, RunTimes, Session, list_cards
from ._onnx import (
    InferenceSession,
    ModelMetadata,
    SessionOptions,
    axclrt_provider_name,
    axengine_provider_name,
    get_all_providers,
    get_available_providers,
    get_device,
)
from ._tensors import Tensor

__all__ = [
    "Binding",
    "BusyError",
    "Card",
    "CardError",
    "CardInfo",
    "Decoder",
    "Encoder",
    "Error",
    "Image",
    "ImageProcessor",
    "InferenceSession",
    "InvalidError",
    "LostSessionError",
    "Model",
    "ModelMetadata",
    "NoCardError",
    "NoMemoryError",
    "OtherError",
    "Packet",
    "PermissionError",
    "Picture",
    "Run",
    "RunTimes",
    "Session",
    "SessionOptions",
    "Tensor",
    "TimeoutError",
    "__version__",
    "axclrt_provider_name",
    "axengine_provider_name",
    "decode_jpeg",
    "get_all_providers",
    "get_available_providers",
    "get_device",
    "list_cards",
    "split_packets",
    "stream_size",
]
