"""Says how busy a host is, and has bytes moved to and fro, for `interstate check`.

This runs in place of an agent, alone, on a channel of its own, until its input ends.  First it says
a line, a tuple as Python writes it.  Then it does what it is told by lines:

    send SIZE   says so many bytes
    take SIZE   reads so many bytes, and says an empty line
"""

from __future__ import annotations

import io
import os
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_PIECE = 1 << 16  # bytes


def serve(errand: dict[str, Any]) -> NoReturn:
    """Answer until nothing more is asked, and exit.

    Args:
        errand: Nothing in it is used.
    """
    try:
        _say(ascii((_load(), _available_memory())).encode() + b"\n")
        source = io.BufferedReader(io.FileIO(0, "rb", closefd=False))
        for line in source:
            verb, size = line.split()
            if verb == b"send":
                _send(int(size))
            else:
                _take(source, int(size))
    except OSError:
        pass  # nobody listens any more
    finally:
        os._exit(0)


def _load() -> float | None:
    """How many processes ran, or wanted to, on the average of the last minute."""
    with suppress(OSError):
        return os.getloadavg()[0]
    return None


def _available_memory() -> int | None:
    """How much memory can be had before anything else must go, bytes; None if nobody says."""
    with suppress(OSError, ValueError), open("/proc/meminfo", "rb") as facts:
        for line in facts:
            if line.startswith(b"MemAvailable:"):
                return int(line.split()[1]) << 10
    return None


def _send(size: int) -> None:
    piece = os.urandom(min(size, _PIECE))  # which does not shrink if the line compresses
    while size:
        _say(piece[:size])
        size -= len(piece[:size])


def _take(source: Any, size: int) -> None:
    while size:
        data = source.read(min(size, _PIECE))
        if not data:
            return
        size -= len(data)
    _say(b"\n")


def _say(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]
