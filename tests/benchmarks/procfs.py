"""What /proc says of processes' memory."""

from __future__ import annotations

import resource
from collections.abc import Iterable
from pathlib import Path


def resident() -> int:
    """Bytes of this process that are in memory."""
    return _kilobytes("/proc/self/status", "VmRSS") * 1024


def peak() -> int:
    """The most bytes that were in memory since `forget_peak`."""
    return _kilobytes("/proc/self/status", "VmHWM") * 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def shared_out(pids: Iterable[int]) -> int:
    """Bytes of these processes, what they share counted once: the sum of their PSS."""
    return sum(_kilobytes(f"/proc/{pid}/smaps_rollup", "Pss") for pid in pids) * 1024


def available() -> int:
    """Bytes of memory that this machine can still give."""
    return _kilobytes("/proc/meminfo", "MemAvailable") * 1024


def limit_memory(size: int) -> None:
    """Have this process fail at so many bytes of data, not the machine."""
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _kilobytes(path: str, name: str) -> int:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise KeyError(f"{name} is not in {path}")
