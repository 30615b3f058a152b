"""The interpreter's end: what is still to be done is done before it, or given up after a Ctrl-C.

And a fork: the child has none of our threads, and nothing that was begun goes on in it.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from typing import Protocol

from .errors import BrokenSSHExecutor, InterstateError


class Running(Protocol):
    """What must come to its end first."""

    def abort(self, error: InterstateError) -> None: ...
    def close(self) -> None: ...
    def join(self) -> None: ...
    def forked(self) -> None: ...


_running: weakref.WeakSet[Running] = weakref.WeakSet()
begun = threading.Event()


def watch(running: Running) -> None:
    """Have it finished at the interpreter's end, if it lives until then."""
    _running.add(running)


def _finish() -> None:
    """As with a ProcessPoolExecutor: what was submitted is finished, unless Ctrl-C ends us."""
    begun.set()
    try:
        if getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1"):
            _end_at_once()
        still_running = list(_running)
        for running in still_running:
            running.close()
        for running in still_running:
            running.join()
    except KeyboardInterrupt:
        _end_at_once()
        raise


def _end_at_once() -> None:
    still_running = list(_running)
    for running in still_running:
        running.abort(BrokenSSHExecutor("the interpreter was interrupted"))
    for running in still_running:
        running.join()


def _after_fork() -> None:
    for running in list(_running):
        running.forked()
    _running.clear()


os.register_at_fork(after_in_child=_after_fork)
# Before daemon threads are stopped, as concurrent.futures does; atexit would be too late.
threading._register_atexit(_finish)  # type: ignore[attr-defined]
# Where Ctrl-C came before that, so that it was not called.
atexit.register(_end_at_once)
