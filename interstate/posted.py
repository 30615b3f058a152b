"""What is posted to the engine's thread, by any other."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable

from . import events

Task = Callable[[], list[events.Event] | None]


class Posted:
    """What was posted and has not been taken yet.

    Attributes:
        put: Posts an event; the number of a call that was submitted, to run once, anywhere; or a
            task, which who takes it does, and which may return events.  Returns at once, and may be
            called from whatever interrupts it.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[int | events.Event | Task] = queue.SimpleQueue()
        self.put = self._queue.put

    def take(self, seconds: float) -> list[events.Event]:
        """Wait for what is posted, and return all that is, as events; do the tasks.

        Args:
            seconds: How long to wait at most.
        """
        happened: list[events.Event] = []
        with contextlib.suppress(queue.Empty):
            item = self._queue.get(timeout=seconds)
            while True:
                if isinstance(item, int):
                    events.add_submitted(happened, item)
                elif isinstance(item, tuple):
                    happened.append(item)
                else:
                    happened += item() or ()
                if self._queue.empty():
                    break
                item = self._queue.get()
        return happened
