"""The thread that users' callbacks run on, so that they may submit calls and wait for them."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

_log = logging.getLogger("interstate")


class Callbacks:
    """Runs users' callbacks one after the other, on a thread that starts with the first of them."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, callback: Callable[[], object]) -> None:
        """Run a callback when those before it have run."""
        self.start()
        self._queue.put(callback)

    def mark(self) -> threading.Event:
        """Return what is set when the callbacks that are there have run."""
        reached = threading.Event()
        self.run(reached.set)
        return reached

    def start(self) -> None:
        """Have the thread there: when the interpreter ends, none may be had any more."""
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._run, name="interstate callbacks", daemon=True
                )
                thread.start()
                self._thread = thread

    def close(self) -> None:
        """Let it end when the callbacks that are there have run, and wait for it."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def owns(self, thread: threading.Thread) -> bool:
        return thread is self._thread

    def _run(self) -> None:
        while (callback := self._queue.get()) is not None:
            try:
                callback()
            except BaseException:  # nothing that a callback raises may end this thread
                _log.exception("exception in a callback")
            del callback
