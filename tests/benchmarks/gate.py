"""A gate that calls on hosts of this machine wait at, so that all are known to run at once."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

_EVERY = 0.1  # seconds between looks


class Gate:
    """Shut until it is opened; waiting at it costs nothing.

    Args:
        directory: An empty directory for its files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock: IO[str] = (directory / "gate").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def waiter(self) -> Callable[[int], None]:
        """What a call calls with a number of its own; it returns when the gate is open."""
        directory = str(self._directory)

        def wait(number: int) -> None:
            Path(directory, f"waiting-{number}").touch()
            with Path(directory, "gate").open() as gate:
                fcntl.flock(gate, fcntl.LOCK_SH)

        return wait

    def wait_for(self, count: int, patience: float) -> int:
        """How many wait at it, once so many do, or nobody has come for so many seconds."""
        known, deadline = 0, time.monotonic() + patience
        while known < count and time.monotonic() < deadline:
            time.sleep(_EVERY)
            found = len(list(self._directory.glob("waiting-*")))
            if found > known:
                known, deadline = found, time.monotonic() + patience
        return known

    def open(self) -> None:
        """Let through all that wait and all that come."""
        self._lock.close()
