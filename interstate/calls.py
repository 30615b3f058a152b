"""A call on its way, and what may be done to its Future without minding who else does."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from concurrent.futures import InvalidStateError
from typing import Any

from .arriving import Arriving
from .blobs import Blob
from .errors import InterstateError
from .future import RemoteFuture

_log = logging.getLogger("interstate")


class Call:
    """A call that has not ended, and the Future that waits for it."""

    __slots__ = ("arriving", "blobs", "content", "future", "host", "name")

    def __init__(
        self, future: RemoteFuture[Any], content: bytes, blobs: Sequence[Blob], name: str
    ) -> None:
        self.future = future
        self.content = content
        self.blobs = blobs
        self.name = name
        self.host = -1  # the one that it was sent to
        self.arriving: Arriving | None = None  # a large outcome that is coming in


def set_running(future: RemoteFuture[Any]) -> bool:
    """Return whether it was not cancelled, and may run."""
    try:
        return future.set_running_or_notify_cancel()
    except (InvalidStateError, RuntimeError):  # somebody else has settled it
        return False


def set_outcome(future: RemoteFuture[Any], ok: bool, value: Any) -> None:
    """Give it its result, or its exception."""
    try:
        if ok:
            future.set_result(value)
        else:
            future.set_exception(value)
    except InvalidStateError:
        _log.warning("a Future of ours was settled by somebody else: %r", future)


def fail(future: RemoteFuture[Any], error: InterstateError) -> None:
    """Give it an exception that others get as well, unless it was cancelled.

    Each gets one of its own: a traceback grows on it wherever it is raised.
    """
    if future.running() or set_running(future):
        twin = copy.copy(error)
        twin.__cause__ = error.__cause__
        set_outcome(future, False, twin)
