# SPDX-License-Identifier: MIT OR Apache-2.0
"""Cards, sessions, models and runs."""
import asyncio
import os
import weakref
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import numpy

from . import _ax650
from ._errors import BusyError, Error, InvalidError
from ._tensors import Tensor, groups_of

#: Seconds that closing something may wait for the card.
CLOSE_TIMEOUT = 10.0
# Rooms that a model keeps for its next runs, in each shape group; more are made when more threads run it.
_SPARE_BINDINGS = 4

Feed = Union[Mapping[str, Any], Sequence[Any]]


class RunTimes(NamedTuple):
    """Seconds that the stages of a run took."""

    queue: float
    copy_in: float
    run: float
    copy_out: float
    wake: float
    total: float


class CardInfo(NamedTuple):
    """A card that this system has; `problem`: why it cannot be used, or None."""

    path: str
    problem: Optional[str]


def list_cards() -> List[CardInfo]:
    """The cards of this system."""
    return [CardInfo(*entry) for entry in _ax650.list_cards()]


class Card:
    """An open card: an index (`0`), a path (`/dev/ax650-0`), a node's name or a PCI address; None: what the environment
    variable AX650_DEVICE names, else the first."""

    def __init__(self, device: Union[str, int, None] = None):
        if device is None:
            device = os.environ.get("AX650_DEVICE") or None
        self._core = device if isinstance(device, _ax650.Card) else _ax650.Card(None if device is None else str(device))

    @property
    def name(self) -> str:
        """Name of the card's node, `ax650-N`."""
        return self._core.name

    @property
    def path(self) -> str:
        """Path of the card's node."""
        return self._core.path

    def info(self) -> Dict[str, Any]:
        """Identity and state: `state`, `pci`, `link`, `generation`, `chip`, `firmware_version`."""
        return self._core.info()

    def telemetry(self) -> Dict[str, Any]:
        """Temperature, loads (0 to 1) and memory ((used, total) in bytes); None: the card did not say."""
        return self._core.telemetry()

    def session(self) -> "Session":
        """Opens a session."""
        return Session(self)

    def __repr__(self) -> str:
        return f"Card({self.path!r})"


class Session:
    """A serving process on a card, and what lives there.  It ends when it is closed, or with the last thing made with
    it."""

    def __init__(self, card: Union[Card, str, int, None] = None):
        if not isinstance(card, Card):
            card = Card(card)
        self._core = card._core.session()
        self._things: "weakref.WeakSet[Any]" = weakref.WeakSet()
        self._views: "weakref.WeakSet[_View]" = weakref.WeakSet()

    @property
    def card_name(self) -> str:
        """Name of the card's node."""
        return self._core.card_name

    def load(self, model: Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]) -> "Model":
        """Loads a model: the path of a file, or its bytes."""
        return Model(self, model)

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Ends it, and all that was made with it; a second time does nothing."""
        _close(self._things, self._core, self, timeout)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Model:
    """A model on a card."""

    def __init__(self, session: Session, model: Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]):
        if isinstance(model, (bytes, bytearray, memoryview)):
            self._core = session._core.load_bytes(bytes(model))
        else:
            self._core = session._core.load_file(os.fspath(model))
        self.session = session
        self._groups = self._core.groups()
        self._inputs = groups_of(self._core.inputs(), self._groups)
        self._outputs = groups_of(self._core.outputs(), self._groups)
        self._names = [tensor.name for tensor in self._outputs[0]]
        self._spare: Dict[int, List[Binding]] = {group: [] for group in range(self._groups)}
        self._bindings: "weakref.WeakSet[Binding]" = weakref.WeakSet()
        self._pid = os.getpid()
        session._things.add(self)

    @property
    def groups(self) -> int:
        """Number of shape groups: each is one set of shapes for all inputs and outputs."""
        return self._groups

    @property
    def inputs(self) -> List[Tensor]:
        """The inputs, in shape group 0."""
        return self.get_inputs()

    @property
    def outputs(self) -> List[Tensor]:
        """The outputs, in shape group 0."""
        return self.get_outputs()

    def get_inputs(self, shape_group: int = 0) -> List[Tensor]:
        """The inputs, in a shape group."""
        return list(self._inputs[self._group(shape_group)])

    def get_outputs(self, shape_group: int = 0) -> List[Tensor]:
        """The outputs, in a shape group."""
        return list(self._outputs[self._group(shape_group)])

    def version(self) -> str:
        """Version of the compiler that made the model, as the card says."""
        return self._core.version()

    def bind(self, shape_group: int = 0) -> "Binding":
        """Makes room for inputs and outputs, to be filled and read in place."""
        return Binding(self, self._group(shape_group))

    def run(
        self,
        feed: Feed,
        output_names: Optional[Sequence[str]] = None,
        shape_group: Optional[int] = None,
    ) -> Dict[str, numpy.ndarray]:
        """Runs the model: inputs by name, or all in order; outputs by name.  Without a shape group it is the first one
        that has the shapes of the inputs."""
        names = self._wanted(output_names)
        return dict(zip(names, self._run(feed, names, shape_group)))

    async def run_async(
        self,
        feed: Feed,
        output_names: Optional[Sequence[str]] = None,
        shape_group: Optional[int] = None,
    ) -> Dict[str, numpy.ndarray]:
        """Runs the model; other tasks of the event loop go on meanwhile."""
        names = self._wanted(output_names)
        return dict(zip(names, await self._run_async(feed, names, shape_group)))

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Unloads it; a second time does nothing."""
        self._close(timeout)

    def _close(self, timeout: float) -> bool:
        for spare in self._spare.values():
            spare.clear()
        return _close(self._bindings, self._core, self.session, timeout)

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what InferenceSession uses ---------------------------------------------------------------

    def _group(self, group: int) -> int:
        if not 0 <= group < self._groups:
            raise InvalidError(f"shape group {group} of a model that has {self._groups}")
        return group

    def _wanted(self, names: Optional[Sequence[str]]) -> List[str]:
        """Names of the outputs that the caller wants."""
        if not names:
            return self._names
        for name in names:
            if name not in self._names:
                raise InvalidError(f"no output is named `{name}`; there are: {', '.join(self._names)}")
        return list(names)

    def _prepare(self, feed: Feed, group: Optional[int]) -> Tuple[int, List[numpy.ndarray]]:
        """The shape group, and an array for each input."""
        tensors = self._inputs[0 if group is None else self._group(group)]
        if isinstance(feed, Mapping):
            values = []
            for tensor in tensors:
                if tensor.name not in feed:
                    raise InvalidError(f"input `{tensor.name}` is missing")
                values.append(feed[tensor.name])
            if len(feed) != len(tensors):
                known = {tensor.name for tensor in tensors}
                unknown = next(name for name in feed if name not in known)
                raise InvalidError(f"no input is named `{unknown}`; there are: {', '.join(t.name for t in tensors)}")
        else:
            values = list(feed)
            if len(values) != len(tensors):
                raise InvalidError(f"{len(values)} inputs for a model that has {len(tensors)}")
        arrays = [tensor.array(value) for tensor, value in zip(tensors, values)]
        choice = range(self._groups) if group is None else [group]
        for number in choice:
            if all(_fits(tensor, array) for tensor, array in zip(self._inputs[number], arrays)):
                return number, arrays
        if len(choice) == 1:
            for tensor, array in zip(self._inputs[choice[0]], arrays):
                if not _fits(tensor, array):
                    raise InvalidError(
                        f"input `{tensor.name}` has the shape {list(array.shape)}, but the model takes {tensor.shape}"
                    )
        given = ", ".join(f"`{tensor.name}` {list(array.shape)}" for tensor, array in zip(tensors, arrays))
        there = "; ".join(", ".join(f"`{tensor.name}` {tensor.shape}" for tensor in group) for group in self._inputs)
        raise InvalidError(f"no shape group has inputs of these shapes: {given}; there are: {there}")

    def _take(self, feed: Feed, group: Optional[int]) -> "Binding":
        """A binding of the right shape group with the inputs in it, for the caller alone."""
        number, arrays = self._prepare(feed, group)
        if self._pid == os.getpid() and self._spare[number]:
            binding = self._spare[number].pop()
        else:
            binding = self.bind(number)
        for place, array in zip(binding._places, arrays):
            numpy.copyto(place, array, casting="no")
        return binding

    def _give(self, binding: "Binding", names: Sequence[str]) -> List[numpy.ndarray]:
        """Copies of the outputs; the binding is free again."""
        results = [binding.outputs[name].copy() for name in names]
        spare = self._spare[binding.shape_group]
        if len(spare) < _SPARE_BINDINGS:
            spare.append(binding)
        return results

    # When a run fails its binding is dropped: the card may still write there.
    def _run(self, feed: Feed, names: Sequence[str], group: Optional[int]) -> List[numpy.ndarray]:
        binding = self._take(feed, group)
        binding._core.run()
        return self._give(binding, names)

    async def _run_async(self, feed: Feed, names: Sequence[str], group: Optional[int]) -> List[numpy.ndarray]:
        binding = self._take(feed, group)
        await binding.start()
        return self._give(binding, names)


def _close(things: Iterable[Any], core: Any, session: Session, timeout: float) -> bool:
    """Closes the things, then what they were made with.  Whether nothing is left: what arrays look at goes with the last
    of them."""
    closed, problem = True, None
    for thing in list(things):
        try:
            closed &= thing._close(timeout)
        except Error as error:
            problem = problem or error
    try:
        core.close(timeout)
    except BusyError as error:
        if closed and not session._views:
            problem = problem or error
    if problem is not None:
        raise problem
    return closed


def _fits(tensor: Tensor, array: numpy.ndarray) -> bool:
    if tensor._dtype is None:
        return array.size == tensor.size and array.ndim == 1
    return list(array.shape) == tensor.shape


class _View:
    """What an array looks at: memory of a session, which knows of it."""

    def __init__(self, session: Session, memory: Any):
        self.__array_interface__ = memory.__array_interface__
        self._memory = memory
        session._views.add(self)


class Binding:
    """Room for the inputs and outputs of a model, on host and card.

    `inputs` and `outputs` are arrays that look at the memory which the card reads and writes: nothing is copied but by
    the card.  What they show while a run is under way is undefined; they stay valid as long as anybody has them.
    """

    def __init__(self, model: Model, shape_group: int):
        self.model = model
        self.shape_group = shape_group
        self._core = model._core.bind(shape_group)
        #: Arrays to be filled, by name.
        self.inputs: Dict[str, numpy.ndarray] = {}
        #: Arrays to be read, by name.
        self.outputs: Dict[str, numpy.ndarray] = {}
        self._places: List[numpy.ndarray] = []
        for index, tensor in enumerate(model._inputs[shape_group]):
            place = tensor.view(_View(model.session, self._core.input(index)))
            self._places.append(place)
            self.inputs[tensor.name] = place
        for index, tensor in enumerate(model._outputs[shape_group]):
            self.outputs[tensor.name] = tensor.view(_View(model.session, self._core.output(index)))
        model._bindings.add(self)

    def run(self) -> RunTimes:
        """Runs the model and waits for its outputs."""
        return RunTimes(*self._core.run())

    def start(self) -> "Run":
        """Starts a run."""
        return Run(self)

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Forgets its arrays and frees the room when nobody has them any more; a second time does nothing."""
        self._close(timeout)

    def _close(self, timeout: float) -> bool:
        self.inputs.clear()
        self.outputs.clear()
        self._places.clear()
        return self._core.close(timeout)


class Run:
    """A run that is under way.  `wait()` for it, `await` it, or poll its `fileno()`."""

    def __init__(self, binding: Binding):
        # Keeps the arrays' memory.
        self._binding = binding
        self._core = binding._core.start()

    def fileno(self) -> int:
        """An eventfd that is readable from the end of the run on.  Do not read it."""
        return self._core.fileno()

    def wait(self, timeout: Optional[float] = None) -> Optional[RunTimes]:
        """Waits for the end of the run, for `timeout` seconds at most; None: not ended yet."""
        times = self._core.wait(timeout)
        return None if times is None else RunTimes(*times)

    def __await__(self) -> Any:
        return self._ended().__await__()

    async def _ended(self) -> RunTimes:
        times = self.wait(0)
        if times is not None:
            return times
        loop = asyncio.get_running_loop()
        while True:
            ended = loop.create_future()
            loop.add_reader(self.fileno(), _settle, ended)
            try:
                await ended
            finally:
                loop.remove_reader(self.fileno())
            times = self.wait(0)
            if times is not None:
                return times


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
