"""A call on its way, and what may be done to its Future without minding who else does."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import InvalidStateError
from typing import Any

from .arriving import Arriving
from .blobs import Blob
from .errors import InterstateError
from .future import RemoteFuture
from .remote import wire

_log = logging.getLogger("interstate")


class Call:
    """A call that has not ended, and the Future that waits for it."""

    __slots__ = (
        *("answered", "arriving", "blobs", "content", "future", "host", "name", "stopped"),
        *("named", "refused", "stopping", "timeout", "told", "unwanted"),
    )

    def __init__(
        self,
        future: RemoteFuture[Any],
        content: bytes,
        blobs: Sequence[Blob],
        name: str,
        timeout: float | None = None,
        named: bool = False,
    ) -> None:
        self.future = future
        self.content = content
        self.blobs = blobs
        self.name = name
        self.timeout = timeout  # how long it may run, seconds
        self.named = named  # by the user: over there it is not known
        self.told = False  # whether users' code is told of what it did over there
        self.host = -1  # the one that it was sent to
        self.arriving: Arriving | None = None  # a large outcome that is coming in
        self.stopped = b""  # why it was told to stop, if it was
        self.refused = False  # the host lacks something that it needs
        self.unwanted = False  # it is not to run any more, if it has not started
        self.stopping = False  # nor if it has
        self.answered: list[threading.Event] = []  # set when it is known whether it has

    def answer(self) -> None:
        """It is known whether it has started."""
        while self.answered:
            self.answered.pop().set()


def frames_of(call: Call) -> bytes:
    """What is sent to have it run."""
    number = call.future.call
    frame = wire.encode(wire.CALL, number, call.content)
    if call.timeout is not None:
        frame = wire.encode(wire.LIMIT, number, wire.SECONDS.pack(call.timeout)) + frame
    attempt = call.future.attempts
    if call.named or attempt > 1:
        about = wire.COUNT.pack(attempt) + (call.name if call.named else "").encode()
        frame = wire.encode(wire.ABOUT, number, about) + frame
    return frame


def frame_to_stop(call: Call) -> bytes:
    """What is sent when it is unwanted."""
    return wire.encode(wire.STOP if call.stopping else wire.REVOKE, call.future.call)


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
