# SPDX-License-Identifier: MIT OR Apache-2.0
"""Errors: one class for each kind of the library's, below `Error`; those that Python has a word for are that, too.

The compiled part raises them by name.
"""
import builtins
from typing import Optional


class Error(Exception):
    """What went wrong, in one line."""

    #: The card's number for it, if the card gave one.
    card_code: Optional[int] = None


class NoCardError(Error):
    """There is no such card, or the card is gone."""


class PermissionError(Error, builtins.PermissionError):
    """The caller may not do this."""


class BusyError(Error):
    """Busy or not ready: worth another try later."""


class TimeoutError(Error, builtins.TimeoutError):
    """What was asked for did not happen in time."""


class LostSessionError(Error):
    """The session has ended: the card was reset, or the process is a child of the one that opened it."""


class NoMemoryError(Error, MemoryError):
    """Memory is used up, of the host or of the card."""


class CardError(Error):
    """The card failed, or answered with an error."""


class InvalidError(Error, ValueError):
    """Wrong arguments."""


class OtherError(Error, OSError):
    """Anything else: files."""
