"""What a daemon logs: taken in by a thread, and complete whenever it is looked at."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from typing import IO


class DaemonLog:
    """The text that comes out of a pipe.

    Args:
        pipe: Its read end, which is closed at the end of it.
        name: Of the thread that reads, so that the pipe never fills.
    """

    def __init__(self, pipe: IO[bytes], name: str) -> None:
        self._pipe = pipe
        self._data = bytearray()
        self._changed = threading.Condition()  # guards both
        self._at_end = False
        self._thread = threading.Thread(target=self._read, name=name)
        self._thread.start()

    @property
    def text(self) -> str:
        """All that was written until now, however far the thread is."""
        with self._changed:
            self._take_in()
            return self._text()

    def wait_for(self, condition: Callable[[str], bool], timeout: float) -> bool:
        """Wait until something is so of the text; False if it is not within that time, or ever."""
        with self._changed:
            self._changed.wait_for(lambda: self._at_end or condition(self._text()), timeout)
        return condition(self.text)

    def ended(self, timeout: float) -> bool:
        """Wait until nobody can write to it any more; False if somebody still could."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _text(self) -> str:
        return self._data.decode(errors="replace")

    def _read(self) -> None:
        with self._pipe:
            while not self._at_end:
                self._has_more(None)
                with self._changed:
                    self._take_in()
                    self._changed.notify_all()

    def _take_in(self) -> None:
        while not self._at_end and self._has_more(0):
            data = os.read(self._pipe.fileno(), 1 << 16)
            self._data += data
            self._at_end = not data

    def _has_more(self, milliseconds: int | None) -> bool:
        """Wait until there is something to read, or its end is."""
        poll = select.poll()
        poll.register(self._pipe.fileno(), select.POLLIN)
        return bool(poll.poll(milliseconds))
