# SPDX-License-Identifier: MIT OR Apache-2.0
"""Video and pictures.  Pictures are NV12: arrays of `height * 3 / 2` rows, those of luma and then those of chroma."""
import threading
from typing import Any, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy

from . import _ax650
from ._closing import Closing
from ._image import Image, nv12_array, nv12_bytes
from ._model import Session

Bytes = Union[bytes, bytearray, memoryview]


class Picture(NamedTuple):
    """A decoded picture."""

    #: The rows, NV12.
    nv12: numpy.ndarray
    width: int
    height: int
    #: Presentation time, as it was sent.
    pts: int


class Packet(NamedTuple):
    """An encoded picture."""

    data: bytes
    #: Presentation time, as it was sent.
    pts: int
    #: Decodable without others.
    key: bool


def _picture(told: Tuple[bytearray, int, int, int]) -> Picture:
    data, width, height, pts = told
    return Picture(nv12_array(data, width), width, height, pts)


def split_packets(codec: str, stream: Bytes) -> List[bytes]:
    """Splits a stream with start codes (Annex B) into packets, one for each picture."""
    return _ax650.split_packets(codec, bytes(stream))


def stream_size(codec: str, stream: Bytes) -> Optional[Tuple[int, int]]:
    """Columns and rows of the pictures of a stream with start codes; None: it does not tell."""
    return _ax650.stream_size(codec, bytes(stream))


def decode_jpeg(session: Session, jpeg: Bytes) -> Picture:
    """Decodes a JPEG picture on the card."""
    return _picture(_ax650.decode_jpeg(session._core, bytes(jpeg)))


class Decoder(Closing):
    """A decoder on the card: `h264`, `h265`, or `jpeg` for streams of pictures.

    It has room for a few pictures only: who sends without receiving waits in vain, for `patience` seconds.  One thread may
    send while another receives; `decode` does both.
    """

    def __init__(
        self,
        session: Session,
        codec: str,
        width: int,
        height: int,
        *,
        frame_rate: float = 25.0,
        pictures: int = 12,
        patience: float = 20.0,
    ):
        self.session = session
        self._core = _ax650.Decoder(session._core, codec, (width, height), frame_rate, pictures, patience)
        #: All of the stream was received.
        self.ended = False
        session._things.add(self)

    def send(self, packet: Bytes, pts: int = 0) -> None:
        """Sends all NAL units of one picture, with start codes; `pts` comes back with the picture."""
        self._core.send(bytes(packet), pts)

    def finish(self) -> None:
        """Tells that nothing follows."""
        self._core.finish()

    def receive(self, timeout: Optional[float] = None) -> Optional[Picture]:
        """Waits for a picture, for `timeout` seconds at most; None: none came, or, if `ended`, none will."""
        goes_on, told = self._core.receive(timeout)
        self.ended = not goes_on
        return None if told is None else _picture(told)

    def receive_image(self, timeout: Optional[float] = None) -> Optional[Image]:
        """As `receive`, but the picture stays on the card; the decoder goes on when images were closed or are gone."""
        goes_on, told = self._core.receive_image(timeout)
        self.ended = not goes_on
        return None if told is None else Image(self.session, *told)

    def decode(self, packets: Iterable[Bytes]) -> Iterator[Picture]:
        """Decodes all packets and gives the pictures; their `pts` are the packets' numbers, from 0.  A thread sends."""
        stop, problems = threading.Event(), []

        def send() -> None:
            try:
                for number, packet in enumerate(packets):
                    if stop.is_set():
                        return
                    self.send(packet, number)
                self.finish()
            except Exception as problem:  # pylint: disable=broad-except
                problems.append(problem)

        # Not to be waited for at the interpreter's exit.
        sender = threading.Thread(target=send, name="ax650 decoder", daemon=True)
        sender.start()
        try:
            while not self.ended:
                picture = self.receive(0.5)
                if picture is not None:
                    yield picture
                elif problems:
                    raise problems[0]
        finally:
            stop.set()


class Encoder(Closing):
    """An encoder on the card: `h264`, `h265` or `jpeg`.

    It takes `depth` pictures; then packets must be received before the next.  There is one packet for each picture, in the order they
    were sent; `encode` does both.
    """

    def __init__(
        self,
        session: Session,
        codec: str,
        width: int,
        height: int,
        *,
        frame_rate: float = 30.0,
        gop: Optional[int] = None,
        bit_rate: Optional[int] = None,
        quantiser: Optional[int] = None,
        patience: float = 20.0,
    ):
        """`bit_rate`: kbit/s, constant; or `quantiser`: 0 to 51, fixed; else a steady quality that suits the size."""
        self.width, self.height = width, height
        self._core = _ax650.Encoder(
            session._core, codec, (width, height), frame_rate, gop, bit_rate, quantiser, patience
        )
        session._things.add(self)

    @property
    def depth(self) -> int:
        """Pictures that it takes before packets must be received."""
        return self._core.depth()

    @property
    def pending(self) -> int:
        """Pictures that the card has taken and whose packets have not been received."""
        return self._core.pending()

    def send(self, nv12: Any, pts: int = 0) -> None:
        """Sends a picture, NV12 without padding; `pts` comes back with the packet.

        An `Image` stays where it is on the card.  Nobody may write to it until its packet was received.
        """
        if isinstance(nv12, Image):
            self._core.send_image(nv12._core, pts)
        else:
            self._core.send(nv12_bytes(nv12), pts)

    def receive(self, timeout: Optional[float] = None) -> Optional[Packet]:
        """Waits for a packet, for `timeout` seconds at most.  Nothing comes when `pending` is 0."""
        told = self._core.receive(timeout)
        return None if told is None else Packet(*told)

    def encode(self, pictures: Iterable[Any]) -> Iterator[Packet]:
        """Encodes all pictures and gives the packets; their `pts` are the pictures' numbers, from 0."""
        for number, picture in enumerate(pictures):
            while self.pending >= self.depth:
                packet = self.receive(0.5)
                if packet is not None:
                    yield packet
            self.send(picture, number)
        while self.pending:
            packet = self.receive(0.5)
            if packet is not None:
                yield packet
