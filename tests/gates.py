"""Where calls wait until a test lets them go on, however long that takes.

    gate = Gate(tmp_path)
    future = executor.submit(gate.wait)  # there is no telling how long a `time.sleep` is, elsewhere
    ...
    gate.open()

A gate is a file, so it serves calls on this computer only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_LIMIT = 100.0  # seconds after which a test that never opened its gate has failed


class Gate:
    """A file that calls wait for, in an empty place of a directory.

    Attributes:
        path: The file's path; it is there when the gate is open.
        wait: To be run over there: returns when the gate is open. It travels, also within closures.
    """

    def __init__(self, directory: Path) -> None:
        taken = len(list(directory.glob("gate_*")))
        place = directory / f"gate_{taken}"
        place.mkdir()
        self.path = place / "open"
        self.wait = _waiting_for(str(self.path))

    def open(self) -> None:
        """Let all go on that wait, and all that come."""
        self.path.touch()


def _waiting_for(path: str) -> Callable[[], None]:
    limit = _LIMIT

    def wait() -> None:
        deadline = time.monotonic() + limit
        while not os.path.exists(path):
            if time.monotonic() > deadline:
                raise TimeoutError("the gate was never opened")
            time.sleep(0.005)

    return wait
