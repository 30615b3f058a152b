"""What an agent says of itself and of its host, first of all."""

from __future__ import annotations

import marshal
import os
import sys
import time
from _frozen_importlib_external import MAGIC_NUMBER

from . import wire


def hello() -> bytes:
    """What the other end wants to know of this Python and this host, marshalled."""
    facts = {
        "protocol": wire.VERSION,
        "python": list(sys.version_info[:3]),
        "magic": MAGIC_NUMBER.hex(),
        "executable": sys.executable,
        "cpus": _cpus(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "platform": os.uname().sysname,
        "hostname": os.uname().nodename,
        "pid": os.getpid(),
        "time": time.time(),
    }
    return marshal.dumps(facts, 2)


def _cpus() -> int:
    """How many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
