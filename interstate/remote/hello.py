"""What an agent says of itself and of its host, first of all."""

from __future__ import annotations

import os
import sys
import time
from _frozen_importlib_external import MAGIC_NUMBER

from . import wire


def hello(door: bytes) -> bytes:
    """What the other end wants to know of this Python and this host: names and values, in turn.

    Args:
        door: The socket that another channel may come by.
    """
    facts = {
        "protocol": wire.VERSION,
        "python": ".".join(map(str, sys.version_info[:3])),
        "magic": MAGIC_NUMBER.hex(),
        "executable": sys.executable,
        "cpus": _cpus(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "platform": os.uname().sysname,
        "hostname": os.uname().nodename,
        "pid": os.getpid(),
        "time": time.time(),
        "door": door.hex(),
    }
    text = "\0".join(f"{name}\0{value}" for name, value in facts.items())
    return text.encode("utf-8", "surrogateescape")


def _cpus() -> int:
    """How many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
