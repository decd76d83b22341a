# SPDX-License-Identifier: MIT OR Apache-2.0
"""Inference in the call shape of ONNX Runtime, for programs that were written for it."""
import os
import threading
import warnings
import weakref
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy

from . import _metadata
from ._errors import InvalidError, LostSessionError
from ._model import Card, Feed, Model, Session, list_cards
from ._tensors import Tensor

axclrt_provider_name = "AXCLRTExecutionProvider"
axengine_provider_name = "AxEngineExecutionProvider"

# Sessions that models share, one for each process and card: a card serves a limited number of processes.
_shared: "weakref.WeakValueDictionary[Tuple[int, str], Session]" = weakref.WeakValueDictionary()
_sharing = threading.Lock()
os.register_at_fork(after_in_child=lambda: globals().update(_sharing=threading.Lock()))


def get_all_providers() -> List[str]:
    """Names of the providers that programs may ask for; all of them are the card."""
    return [axclrt_provider_name, axengine_provider_name]


def get_available_providers() -> List[str]:
    """Those of them that can be used: the first, if this system has a card."""
    return [axclrt_provider_name] if list_cards() else []


def get_device() -> str:
    """What runs the models."""
    return "NPU"


class SessionOptions:
    """Takes the attributes that programs set for ONNX Runtime.  The card has none of these settings."""

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Does nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return None


class ModelMetadata:
    """What the file of a model says of it; nothing, if it is not of ONNX's format."""

    def __init__(self, model: Union[str, bytes]):
        told = _metadata.read(model)
        self.producer_name: str = told.get("producer_name", "")
        self.domain: str = told.get("domain", "")
        self.description: str = told.get("description", "")
        self.version: int = told.get("version", 0)
        self.graph_name = ""
        self.graph_description = ""
        self.custom_metadata_map: Dict[str, str] = told["custom"]


def _device_of(providers: Optional[Sequence[Any]], options: Optional[Sequence[Mapping[str, Any]]]) -> Optional[str]:
    """The device that the provider options name."""
    if options is not None and (providers is None or len(options) != len(providers)):
        count = 0 if providers is None else len(providers)
        # One set of options without providers is for the card.
        if not (providers is None and len(options) == 1):
            raise InvalidError(f"{len(options)} provider_options for {count} providers")
    # None: the option is for whatever runs the model.
    names = [None] if providers is None else [p[0] if isinstance(p, tuple) else p for p in providers]
    pairs = list(zip(names, options or []))
    pairs += [provider for provider in providers or [] if isinstance(provider, tuple)]
    device = None
    for name, option in pairs:
        if name is not None and name not in get_all_providers():
            continue
        for key, value in option.items():
            if key != "device_id":
                warnings.warn(f"provider option {key} means nothing to the card", stacklevel=3)
            elif device is None:
                device = str(value)
    return device


def _session_for(device: Optional[str]) -> Tuple[Session, bool]:
    """The session that models on this card share; and whether it is new."""
    key = (os.getpid(), device if device is not None else os.environ.get("AX650_DEVICE", ""))
    with _sharing:
        session = _shared.get(key)
        if session is not None:
            return session, False
        session = Session(Card(device))
        _shared[key] = session
        return session, True


def _forget(session: Session) -> None:
    with _sharing:
        for key, known in list(_shared.items()):
            if known is session:
                del _shared[key]


class InferenceSession:
    """A model on a card, in the call shape of ONNX Runtime.

    The models of a process share one session of each card.  Which one it is: the provider option `device_id` (an index, a
    path or a PCI address), else the environment variable AX650_DEVICE, else the first.  Names of providers do not matter.
    """

    def __init__(
        self,
        path_or_bytes: Union[str, bytes, "os.PathLike[str]"],
        sess_options: Optional[Any] = None,
        providers: Optional[Sequence[Any]] = None,
        provider_options: Optional[Sequence[Mapping[str, Any]]] = None,
        **_: Any,
    ):
        self._options = sess_options if sess_options is not None else SessionOptions()
        device = _device_of(providers, provider_options)
        if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
            path_or_bytes = bytes(path_or_bytes)
        else:
            path_or_bytes = os.fspath(path_or_bytes)
        session, is_new = _session_for(device)
        try:
            self._model = session.load(path_or_bytes)
        except LostSessionError:
            _forget(session)
            if is_new:
                raise
            # The card was reset since the last model was loaded.
            session, _is_new = _session_for(device)
            self._model = session.load(path_or_bytes)
        self._metadata = ModelMetadata(path_or_bytes)

    def get_inputs(self, shape_group: int = 0) -> List[Tensor]:
        """The inputs, in a shape group: objects with `name`, `dtype`, `shape`, and ONNX Runtime's `type`."""
        return self._model.get_inputs(shape_group)

    def get_outputs(self, shape_group: int = 0) -> List[Tensor]:
        """The outputs, in a shape group."""
        return self._model.get_outputs(shape_group)

    def run(
        self,
        output_names: Optional[Sequence[str]],
        input_feed: Feed,
        run_options: Optional[Any] = None,
        shape_group: Optional[int] = None,
    ) -> List[numpy.ndarray]:
        """Runs the model and returns the outputs named, or all.  Without a shape group it is the first one that has the
        shapes of the inputs."""
        model = self._model
        try:
            return model._run(input_feed, model._wanted(output_names), shape_group)
        except LostSessionError:
            _forget(model.session)
            raise

    async def run_async(
        self,
        output_names: Optional[Sequence[str]],
        input_feed: Feed,
        run_options: Optional[Any] = None,
        shape_group: Optional[int] = None,
    ) -> List[numpy.ndarray]:
        """Runs the model; other tasks of the event loop go on meanwhile."""
        model = self._model
        try:
            return await model._run_async(input_feed, model._wanted(output_names), shape_group)
        except LostSessionError:
            _forget(model.session)
            raise

    def get_providers(self) -> List[str]:
        """What runs the model: the card."""
        return [axclrt_provider_name]

    def get_provider_options(self) -> Dict[str, Dict[str, str]]:
        """The card that runs the model."""
        return {axclrt_provider_name: {"device_id": self._model.session.card_name}}

    def set_providers(self, providers: Optional[Sequence[Any]] = None, provider_options: Optional[Any] = None) -> None:
        """Does nothing: models stay where they were loaded."""

    def get_session_options(self) -> Any:
        """The options that the session was made with."""
        return self._options

    def get_modelmeta(self) -> ModelMetadata:
        """What the file of the model says of it."""
        return self._metadata

    def close(self) -> None:
        """Unloads the model; a second time does nothing."""
        self._model.close()

    def __enter__(self) -> "InferenceSession":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
