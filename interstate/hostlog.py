"""The hosts' log: what is printed over there that is no call's, line by line, as log records.

Children and threads that calls have left behind print it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from .hosts import Host
from .screen import Screen

_log = logging.getLogger("interstate.host")
_NAMES = {1: "stdout", 2: "stderr"}
_MOST = 1 << 20  # bytes that may wait to be logged: what prints without end must not fill us


class HostLog:
    """Logs what is added to it, on the thread of users' code: log handlers may submit and wait.

    Args:
        run: Runs users' code where it may wait for other calls.
        clock: The time, seconds.
    """

    def __init__(
        self,
        run: Callable[[Callable[[], object]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._clock = clock
        self._sources: dict[tuple[int, int], _Source] = {}
        self._lock = threading.Lock()  # guards the next one
        self._waiting = 0  # bytes that are to be logged

    def add(self, index: int, host: Host, stream: int, data: bytes) -> None:
        """Log the lines that are whole with this; `index` is the host's number."""
        if not _log.isEnabledFor(logging.INFO):
            return
        source = self._sources.get((index, stream))
        if source is None:
            screen = Screen(self._clock)
            source = self._sources[index, stream] = _Source(host, _NAMES[stream], screen)
        self._post(source, source.screen.write(data), len(data))

    def close(self) -> None:
        """Log what is there of lines that have not ended: nothing more comes."""
        for source in self._sources.values():
            self._post(source, source.screen.finish(), 0, float("inf"))
        self._sources.clear()

    def _post(self, source: _Source, lines: list[str], size: int, most: float = _MOST) -> None:
        with self._lock:
            if self._waiting > most:
                source.lost += len(lines)
                return
            if lines := [*source.what_is_lost(), *lines]:
                self._waiting += size
        if not lines:
            return
        try:
            self._run(lambda: self._handle(source, lines, size))
        except RuntimeError:  # the interpreter ends: no thread can be had, and nobody may submit
            self._handle(source, lines, size)

    def _handle(self, source: _Source, lines: list[str], size: int) -> None:
        try:
            for line in lines:
                source.log(line)
        finally:
            with self._lock:
                self._waiting -= size


class _Source:
    """A stream of a host's, as far as it is no call's.

    Attributes:
        lost: How many lines were not logged, since too many waited for it.
    """

    def __init__(self, host: Host, stream: str, screen: Screen) -> None:
        self.screen = screen
        self.lost = 0
        self._host = host
        self._more = {"host": host, "stream": stream}

    def what_is_lost(self) -> list[str]:
        """A line that says so, if anything is; from here on nothing is."""
        lost, self.lost = self.lost, 0
        return [f"[interstate: {lost:,} lines were dropped here, too many at once]"] if lost else []

    def log(self, line: str) -> None:
        _log.info("%s: %s", self._host, line, extra=self._more)
