# SPDX-License-Identifier: MIT OR Apache-2.0
"""Images that stay on the card, and the processor that crops, scales and converts them there."""
from typing import Any, Optional, Tuple

import numpy

from . import _ax650
from ._closing import Closing
from ._errors import InvalidError
from ._model import Session

#: A part of an image: first column and row, both even, columns and rows.
Rect = Tuple[int, int, int, int]


def nv12_array(data: bytearray, width: int) -> numpy.ndarray:
    """The rows of an NV12 picture without padding."""
    rows = numpy.frombuffer(data, numpy.uint8)
    # Rows of luma are as long as those of chroma only if the columns are even.
    return rows if width % 2 else rows.reshape(-1, width)


def nv12_bytes(nv12: Any) -> bytes:
    """The bytes of an NV12 picture without padding."""
    if isinstance(nv12, numpy.ndarray):
        if nv12.dtype != numpy.uint8:
            raise InvalidError(f"a picture of type {nv12.dtype}, but NV12 is uint8")
        nv12 = nv12.tobytes()
    return bytes(nv12)


class Image(Closing):
    """An image in card memory; made by an `ImageProcessor` or a `Decoder`."""

    def __init__(self, session: Session, core: Any, pts: int = 0):
        self.session = session
        self._core = core
        self.width, self.height, is_nv12 = core.shape()
        #: `nv12` or `bgr`.
        self.format = "nv12" if is_nv12 else "bgr"
        #: Presentation time of a decoded picture, as it was sent.
        self.pts = pts
        session._things.add(self)

    def part(self, x: int, y: int, width: int, height: int) -> "Image":
        """A part of an NV12 picture, from an even column and row on, to be written by itself: the rest becomes a border."""
        return Image(self.session, self._core.part((x, y, width, height)), self.pts)

    def upload(self, nv12: Any) -> None:
        """Copies a picture, NV12 without padding, from the host into this one, which is neither a decoder's nor a part."""
        self._core.upload(nv12_bytes(nv12))

    def download(self) -> numpy.ndarray:
        """Copies the image to the host: NV12 as `height * 3 / 2` rows, BGR as `height` x `width` x 3."""
        data = self._core.download()
        if self.format == "nv12":
            return nv12_array(data, self.width)
        return numpy.frombuffer(data, numpy.uint8).reshape(self.height, self.width, 3)

    def _close(self, timeout: float) -> bool:
        self._core.close()
        return True


class ImageProcessor(Closing):
    """Crops, scales and converts images on the card, with the engine `vpp`, `tdp` or `vgp`."""

    def __init__(self, session: Session, engine: str = "vpp"):
        self.session = session
        self._core = _ax650.ImageProcessor(session._core, engine)
        session._things.add(self)

    def nv12(self, width: int, height: int, grey: int = 0) -> Image:
        """Makes a picture that is grey in all places: `grey` is its luma."""
        return Image(self.session, self._core.nv12((width, height), grey))

    def bgr(self, width: int, height: int) -> Image:
        """Makes room for blue, green and red bytes, as models take them."""
        return Image(self.session, self._core.bgr((width, height)))

    def resize(self, source: Image, target: Image, crop: Optional[Rect] = None) -> None:
        """Scales `crop` of a picture, or all of it, to the size of another; both are NV12."""
        self._core.resize(source._core, target._core, crop)

    def convert(self, source: Image, target: Image) -> None:
        """Converts an NV12 picture to a BGR image of the same size."""
        self._core.convert(source._core, target._core)

    def _close(self, timeout: float) -> bool:
        self._core.close()
        return True
