"""What an agent says of itself and of its host, first of all."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from importlib.util import MAGIC_NUMBER

from . import wire


def hello() -> bytes:
    """What the other end wants to know of this Python and this host, as JSON."""
    facts = {
        "protocol": wire.VERSION,
        "python": list(sys.version_info[:3]),
        "magic": MAGIC_NUMBER.hex(),
        "executable": sys.executable,
        "cpus": _cpus(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "platform": platform.system(),
        "hostname": platform.node(),
        "pid": os.getpid(),
        "time": time.time(),
    }
    return json.dumps(facts).encode()


def _cpus() -> int:
    """How many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
