# SPDX-License-Identifier: MIT OR Apache-2.0
"""What ends with its session, or before."""
from typing import Any, TypeVar

from ._model import CLOSE_TIMEOUT


class Closing:
    """Something on the card that a session makes and that can be closed."""

    _core: Any

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Ends it; a second time does nothing."""
        self._close(timeout)

    def _close(self, timeout: float) -> bool:
        return self._core.close(timeout)

    def __enter__(self: "_Self") -> "_Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_Self = TypeVar("_Self", bound=Closing)
