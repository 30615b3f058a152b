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
        "implementation": sys.implementation.name,
        "abiflags": sys.abiflags,
        "machine": _machine(),
        "libc": _libc(),
    }
    text = "\0".join(f"{name}\0{value}" for name, value in facts.items())
    return text.encode("utf-8", "surrogateescape")


def _machine() -> str:
    """What extension modules are built for here: a Python of 32 bits may be on a kernel of 64."""
    machine = os.uname().machine
    if sys.maxsize > 1 << 32:
        return machine
    return {"x86_64": "i686", "aarch64": "armv7l", "armv8l": "armv7l"}.get(machine, machine)


def _libc() -> str:
    """The C library and its version, as glibc says them; musl does not, so its version is open."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "musl"
    except (AttributeError, OSError, ValueError):
        return "musl"


def _cpus() -> int:
    """How many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
